"""What changes from step to step: the learning rate and the moving average of the weights."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from training.fit.presets import Recipe


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """The learning rate of a step: a linear warm-up, times a half cosine if the recipe has one."""
    warmup = min(1.0, (step + 1) / recipe.warmup_steps) if recipe.warmup_steps else 1.0
    decay = 0.5 * (1.0 + math.cos(math.pi * step / steps)) if recipe.cosine else 1.0
    return recipe.learning_rate * warmup * decay


def ema_decay(ema: float, step: int) -> float:
    """The decay after ``step`` steps: smaller at first, so that initial weights are soon gone."""
    return min(ema, (1 + step) / (10 + step))


@torch.no_grad()
def update_average(
    average: Mapping[str, Tensor], weights: Mapping[str, Tensor], decay: float
) -> None:
    """Move an exponential moving average towards the weights, in place."""
    for name, value in weights.items():
        if average[name].is_floating_point():
            average[name].lerp_(value, 1.0 - decay)
        else:
            average[name].copy_(value)
