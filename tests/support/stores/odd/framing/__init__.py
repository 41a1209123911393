"""Stores with odd HTTP."""
