"""Takes over the data of a Vanguard application, and keeps its own table true while both run."""
