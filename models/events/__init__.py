"""Events of destinations: stored, and as live streams."""
