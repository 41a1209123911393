"""What `moorings doctor` looks at: the database, the keys, and everything around the gateway that it depends on."""
