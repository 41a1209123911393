"""`moorings import vanguard` and `moorings export vanguard`."""
