"""Latents with known directions: normally distributed around an offset, plus what labels add."""

from collections.abc import Sequence

import torch
from torch import Tensor

COUNT, DIM = 4000, 8
OFFSET = 3.0  # of the mean in every dimension
SPREAD = 0.5


def random() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def coin(probability: float, generator: torch.Generator, count: int = COUNT) -> Tensor:
    """0 or 1, ``(count,)``."""
    drawn = torch.rand(count, generator=generator)
    return torch.where(drawn < probability, 1.0, 0.0)


def steps(count: int, generator: torch.Generator) -> Tensor:
    """Directions of length 3, ``(count, DIM)``."""
    vectors = torch.randn(count, DIM, generator=generator)
    return 3.0 * torch.nn.functional.normalize(vectors)


def latents(columns: Sequence[Tensor], effects: Tensor, generator: torch.Generator) -> Tensor:
    """``(N, DIM)``: the offset, noise, and each column ``(N,)`` times its effect."""
    table = torch.stack(list(columns), dim=1)
    noise = SPREAD * torch.randn(len(table), DIM, generator=generator)
    found: Tensor = OFFSET + noise + table @ effects
    return found


def assert_same_direction(found: Tensor, expected: Tensor) -> None:
    """The cosine is above 0.99, and the length within 3%."""
    assert float(torch.cosine_similarity(found, expected, dim=0)) > 0.99
    assert abs(float(found.norm() / expected.norm()) - 1.0) < 0.03
