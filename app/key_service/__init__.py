"""Keys of the vault that a key service keeps wrapped: the interface, AWS KMS, and how long an unwrapped key is used."""
