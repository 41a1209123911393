"""A real browser, Node, and the pages in them."""
