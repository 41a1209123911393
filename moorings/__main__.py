"""`python -m moorings` is the command `moorings`."""

from moorings import main

if __name__ == "__main__":
    main()
