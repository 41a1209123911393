"""Compiles valid operations to Python that writes the answer from rows."""
