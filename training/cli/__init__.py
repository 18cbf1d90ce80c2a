"""The command line of ``python -m training``."""
