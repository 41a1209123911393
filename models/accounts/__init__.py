"""Users, API tokens, abilities, and the viewer that a token stands for."""
