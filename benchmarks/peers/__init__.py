"""The peers: each one file that does the work of the gateway's list the way its users would for production."""
