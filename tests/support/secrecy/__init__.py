"""Canaries: secrets that must not be found anywhere."""
