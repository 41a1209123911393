"""Pages and documents for browsers, and the health endpoints."""
