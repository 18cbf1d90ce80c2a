"""Averages of the detail branches of checkpoints that have everything else in common.

Weights along one training, or of trainings that began at the same weights, can be averaged, and
their average is often better than each: Izmailov et al., "Averaging Weights Leads to Wider Optima
and Better Generalization", 2018; Wortsman et al., "Model soups", 2022. For a detail branch the
average has less noise, and a smaller residual, which a factor makes up for.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch

from vae.checkpoint import Checkpoint
from vae.detail import DetailBranch
from vae.model import VAE


def average_detail(checkpoints: Sequence[Checkpoint], gain: float = 1.0) -> Checkpoint:
    """The first checkpoint, whose detail branch has the mean weights of all.

    Args:
        checkpoints: one or more.
        gain: factor of what the branch adds to an image.

    Raises:
        ValueError: if one has no detail branch, or differs in something else than the branch.
    """
    models = [checkpoint.model for checkpoint in checkpoints]
    branches = [_branch(model) for model in models]
    states = [branch.state_dict() for branch in branches]
    average = VAE(models[0].config)
    average.load_state_dict(models[0].state_dict())
    for model in models[1:]:
        if not _same_but_branch(models[0], model):
            raise ValueError("the checkpoints differ in more than their detail branches")
    mean = {key: torch.stack([s[key].float() for s in states]).mean(0) for key in states[0]}
    branch = _branch(average)
    branch.load_state_dict(mean)
    branch.scale(gain)
    return replace(checkpoints[0], model=average.eval())


def _branch(model: VAE) -> DetailBranch:
    if model.detail is None:
        raise ValueError("a checkpoint has no detail branch")
    return model.detail


def _same_but_branch(a: VAE, b: VAE) -> bool:
    if a.config != b.config:
        return False
    others = b.state_dict()
    return all(
        torch.equal(value, others[key])
        for key, value in a.state_dict().items()
        if not key.startswith("detail.")
    )
