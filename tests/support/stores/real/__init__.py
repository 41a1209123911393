"""Stores that are real software, each started for the tests of one module."""
