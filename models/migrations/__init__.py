"""The schema's history, written by `tortoise makemigrations` and edited only where a comment says why."""
