"""What happened to destinations: stored events, and live streams of them."""
