"""The building: reads the settings, makes the long-lived parts, hangs the doors and opens."""
