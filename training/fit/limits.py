"""Limits of what every recipe has."""

from collections.abc import Mapping

MAX_EPOCHS = 1_000_000
MAX_SEED = 2**63 - 1


def check_steps(rates: Mapping[str, float], clip: float) -> None:
    """Check that a step changes weights: a rate of 0 or a clipping of all gradients to 0 would not.

    Args:
        rates: learning rates by name.
        clip: largest norm of the gradient; infinite for no clipping.

    Raises:
        ValueError: if not.
    """
    for name, rate in rates.items():
        if not rate > 0:
            raise ValueError(f"{name} is {rate}; it must be above 0")
    if not clip > 0:
        raise ValueError(f"clip is {clip}; it must be above 0, and inf for no clipping")


def check_length(epochs: float, seed: int) -> None:
    """Check that a run has an end, and that PyTorch takes its seed.

    Raises:
        ValueError: if not.
    """
    if not epochs <= MAX_EPOCHS:
        raise ValueError(f"epochs is {epochs}; it must be {MAX_EPOCHS:,} or fewer")
    if seed > MAX_SEED:
        raise ValueError(f"seed is {seed}; it must be {MAX_SEED} or less")
