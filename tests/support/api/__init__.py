"""What both APIs promise, in words of neither."""
