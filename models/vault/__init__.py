"""Seals and opens stored credentials."""
