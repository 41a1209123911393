"""The client of a backup job: it puts files into destinations and gets them, by grants of a gateway, without keys."""
