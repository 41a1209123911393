"""Commands about the installation itself: `moorings doctor`, `config`."""
