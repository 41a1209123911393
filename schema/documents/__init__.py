"""The text of a document: its tokens, its limits, its literals."""
