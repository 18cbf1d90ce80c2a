"""Runs of a few steps on noise."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from tests.training.sources import dataset, noise
from training.data.dataset import Dataset
from training.fit.loop import Progress
from training.fit.presets import Recipe
from training.fit.trainer import Trainer
from vae.config import VAEConfig

SMALL = VAEConfig("residual", 3, 32, latent_dim=4, widths=(8, 16))
SIGMOID = replace(SMALL, output="sigmoid")
RECIPE = Recipe(SMALL, epochs=4, batch_size=4, warmup_steps=4)  # 16 steps of 16 images


def trainer(folder: Path, recipe: Recipe = RECIPE, data: Dataset | None = None) -> Trainer:
    return Trainer(recipe, data or dataset(noise(16)), folder, torch.device("cpu"))


def ignore(_: Progress) -> None:
    pass


def weights(run: Trainer) -> dict[str, Tensor]:
    return run.averaged_model().state_dict()


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(a[k].equal(b[k]) for k in a)


def stop_after(step: int) -> Callable[[Progress], None]:
    def report(progress: Progress) -> None:
        if progress.step > step:
            raise KeyboardInterrupt

    return report
