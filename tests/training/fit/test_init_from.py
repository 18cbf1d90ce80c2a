from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.fit.trainer_runs import RECIPE, SMALL, ignore, same, trainer, weights
from tests.training.sources import dataset, noise
from training.fit.errors import TrainingError
from training.fit.presets import Recipe
from training.fit.trainer import Trainer
from vae.checkpoint import Checkpoint
from vae.pixels import to_float
from vae.prior import LatentStatistics


def test_a_run_is_initialised_from_a_checkpoint(tmp_path: Path) -> None:
    first = trainer(tmp_path / "first")
    first.run(ignore)
    start = described(first, sha256="1" * 64)
    second = started(tmp_path / "second", start)
    assert same(weights(second), start.model.state_dict())
    second.run(ignore, max_minutes=0)
    with pytest.raises(TrainingError, match="differs in the checkpoint of --init-from"):
        started(tmp_path / "second", described(first, sha256="2" * 64))
    wide = replace(RECIPE, model=replace(SMALL, latent_dim=SMALL.latent_dim + 1))
    with pytest.raises(TrainingError, match="another network than the recipe's"):
        started(tmp_path / "third", start, wide)


def test_a_narrower_run_is_initialised_from_principal_axes(tmp_path: Path) -> None:
    wide = trainer(tmp_path / "wide")
    wide.run(ignore)
    start = described(wide, sha256="1" * 64)
    dim, idle = SMALL.latent_dim, 1
    state = start.model.state_dict()
    last = [name for name in state if name.startswith("encoder.")][-1].rpartition(".")[0]
    for rows, value in ((idle, 0.7), (slice(dim, None), -4.0)):  # a code and a scale that stay
        state[f"{last}.weight"][rows] = 0.0
        state[f"{last}.bias"][rows] = value
    recipe = replace(RECIPE, model=replace(SMALL, latent_dim=dim - 1))
    narrow = started(tmp_path / "narrow", start, recipe).averaged_model()
    data = dataset(noise(16))
    x = to_float(data.batch(np.arange(len(data))))
    with torch.no_grad():
        before, after = start.model.encode(x), narrow.encode(x)
        copies = start.model.decode(before.mean)
        torch.testing.assert_close(narrow.decode(after.mean), copies, atol=1e-4, rtol=0)
        spread = after.mean.var(0) + after.logvar.exp().mean(0)
        torch.testing.assert_close(spread, torch.ones(dim - 1))
    wrong = replace(recipe, model=replace(recipe.model, widths=(4, 4)))
    with pytest.raises(TrainingError, match="another network than the recipe's"):
        started(tmp_path / "other", start, wrong)


def described(run: Trainer, sha256: str) -> Checkpoint:
    dim = run.recipe.model.latent_dim
    statistics = LatentStatistics(torch.zeros(dim), torch.eye(dim))
    return Checkpoint(run.averaged_model(), statistics, sha256=sha256)


def started(folder: Path, start: Checkpoint, recipe: Recipe = RECIPE) -> Trainer:
    return Trainer(recipe, dataset(noise(16)), folder, torch.device("cpu"), start)
