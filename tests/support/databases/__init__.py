"""Real databases, and rows in them."""
