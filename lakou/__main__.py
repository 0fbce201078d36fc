"""`python -m lakou` is the same as the `lakou` command."""

from lakou.server.cli import main

if __name__ == "__main__":
    main()
