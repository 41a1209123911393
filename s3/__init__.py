"""The store check: everything that speaks S3. Imports `models` alone."""
