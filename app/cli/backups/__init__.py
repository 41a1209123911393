"""`moorings backup`, the client of jobs, which needs no database; and `moorings credentials`, the operator's."""
