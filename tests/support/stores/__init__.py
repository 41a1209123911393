"""Stores and other servers for the check to connect to."""
