"""Stores that lack something."""
