"""Training: data, loss, loop, evaluation and report. Run ``python -m training --help``."""
