"""What both APIs promise."""
