"""Stores that behave oddly, each a script in a file of its own, after a public report."""
