"""What all connections share, and the connection of past checks."""
