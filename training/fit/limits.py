"""Limits of what every recipe has."""

MAX_EPOCHS = 1_000_000
MAX_SEED = 2**63 - 1


def check_length(epochs: float, seed: int) -> None:
    """Check that a run has an end, and that PyTorch takes its seed.

    Raises:
        ValueError: if not.
    """
    if not epochs <= MAX_EPOCHS:
        raise ValueError(f"epochs is {epochs}; it must be {MAX_EPOCHS:,} or fewer")
    if seed > MAX_SEED:
        raise ValueError(f"seed is {seed}; it must be {MAX_SEED} or less")
