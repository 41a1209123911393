"""What HTTP messages are made of: header encoding, JSON bodies, media types."""
