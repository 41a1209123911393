"""Turns a bearer token into a viewer."""
