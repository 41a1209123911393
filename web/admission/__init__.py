"""Which requests begin at once, which wait for their turn, and which are refused for having to wait too long."""
