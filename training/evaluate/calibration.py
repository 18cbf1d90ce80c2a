"""Whether percentiles are uniform: the test of Kolmogorov and Smirnov."""

import math

import torch
from torch import Tensor

TERMS = 100  # of the series
CERTAIN = 0.2  # of its argument: below it the probability is 1 to twelve digits


def kolmogorov_smirnov(values: Tensor) -> tuple[float, float]:
    """The statistic and the p-value of the hypothesis that values are uniform on [0, 1].

    The p-value is that of the limit distribution, at an argument corrected for the number of
    values: Stephens, "Use of the Kolmogorov-Smirnov, Cramer-von Mises and Related Statistics
    Without Extensive Tables", 1970.

    Args:
        values: ``(N,)``, at least 1, independent.
    """
    n = len(values)
    ordered, steps = values.double().sort().values, torch.arange(n + 1, dtype=torch.float64) / n
    statistic = float(torch.maximum(steps[1:] - ordered, ordered - steps[:-1]).max())
    argument = (math.sqrt(n) + 0.12 + 0.11 / math.sqrt(n)) * statistic
    if argument < CERTAIN:
        return statistic, 1.0
    series = sum(
        (-1) ** (k - 1) * math.exp(-2.0 * (k * argument) ** 2) for k in range(1, TERMS + 1)
    )
    return statistic, min(1.0, max(0.0, 2.0 * series))
