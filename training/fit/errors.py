"""The error of a run that cannot go on."""


class TrainingError(Exception):
    """A run that cannot go on; the message says why and what would help."""
