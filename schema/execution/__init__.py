"""Parses, limits, validates and executes documents."""
