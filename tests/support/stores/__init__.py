"""Stores and strangers for the check to connect to."""
