import math

import pytest
import torch
from torch import Tensor

from training.evaluate.calibration import kolmogorov_smirnov


def grid(count: int) -> Tensor:
    """As uniform as values can be."""
    return (torch.arange(count, dtype=torch.float64) + 0.5) / count


@pytest.mark.parametrize(("argument", "expected"), [(1.2238, 0.1), (1.3581, 0.05), (1.6276, 0.01)])
@pytest.mark.parametrize("count", [50, 360])
@pytest.mark.parametrize("sign", [-1, 1])
def test_critical_values_of_the_table(
    argument: float, expected: float, count: int, sign: int
) -> None:
    root = math.sqrt(count)
    largest = argument / (root + 0.12 + 0.11 / root)
    values = (grid(count) + sign * (largest - 0.5 / count)).clamp(0.0, 1.0)
    statistic, p = kolmogorov_smirnov(values)
    assert statistic == pytest.approx(largest)
    assert p == pytest.approx(expected, rel=0.001)


def test_the_order_of_the_values_does_not_count() -> None:
    values = torch.rand(40, generator=torch.Generator().manual_seed(0))
    assert kolmogorov_smirnov(values.flip(0)) == kolmogorov_smirnov(values.sort().values)


def test_the_ends() -> None:
    statistic, p = kolmogorov_smirnov(grid(1000))
    assert statistic == pytest.approx(0.0005)
    assert p == 1.0
    statistic, p = kolmogorov_smirnov(torch.full((100,), 0.99))
    assert statistic == pytest.approx(0.99)
    assert p < 1e-9
