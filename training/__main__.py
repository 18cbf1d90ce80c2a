"""``python -m training``."""

from training.cli.commands import main

if __name__ == "__main__":
    main()
