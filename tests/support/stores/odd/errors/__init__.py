"""Stores with odd errors."""
