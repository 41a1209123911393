"""`moorings backup`: the client of backup jobs, which needs no database."""
