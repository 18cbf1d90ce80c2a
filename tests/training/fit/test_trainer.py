import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.training.fit.trainer_runs import RECIPE, ignore, same, trainer, weights
from tests.training.sources import dataset, levels
from training.fit.errors import TrainingError
from training.fit.loop import Progress
from training.fit.presets import Recipe


def test_a_rate_far_too_high_is_noticed(tmp_path: Path) -> None:
    recipe = replace(RECIPE, learning_rate=1e12, warmup_steps=0)
    with pytest.raises(TrainingError, match="no longer finite"):
        trainer(tmp_path, recipe).run(ignore)


def test_the_weights_to_keep_are_the_moving_average(tmp_path: Path) -> None:
    run = trainer(tmp_path, replace(RECIPE, ema=0.5))
    name = "encoder.1.weight"
    expected = run.model.state_dict()[name].clone()

    def follow(progress: Progress) -> None:
        decay = min(0.5, (1 + progress.step) / (10 + progress.step))
        expected.mul_(decay).add_(run.model.state_dict()[name], alpha=1 - decay)

    run.run(follow)
    kept, last = weights(run)[name], run.model.state_dict()[name]
    torch.testing.assert_close(kept, expected)
    assert not kept.allclose(last)
    state = load_file(tmp_path / "state.safetensors")
    assert state[f"averaged.{name}"].equal(kept)
    assert state[f"model.{name}"].equal(last)


def test_without_a_moving_average_the_last_weights_are_kept(tmp_path: Path) -> None:
    run = trainer(tmp_path, replace(RECIPE, ema=0.0))
    run.run(ignore)
    assert same(weights(run), run.model.state_dict())


def rates(folder: Path, recipe: Recipe) -> list[float]:
    """The learning rate of every step."""
    run, found = trainer(folder, recipe), list[float]()
    run.run(lambda _: found.append(run.optimizer.param_groups[0]["lr"]))
    return found


def test_the_rate_warms_up_and_falls_along_a_cosine(tmp_path: Path) -> None:
    found = rates(tmp_path, RECIPE)
    assert len(found) == 16
    assert found[0] == pytest.approx(0.25e-3)
    assert found[1] == pytest.approx(0.5e-3 * 0.5 * (1 + math.cos(math.pi / 16)))
    assert found[8] == pytest.approx(0.5e-3)
    assert found[12] == pytest.approx(1e-3 * 0.5 * (1 - math.sqrt(0.5)))
    assert found[3:] == sorted(found[3:], reverse=True)
    assert 0 < found[15] < 0.02e-3


def test_the_rate_stays_without_either(tmp_path: Path) -> None:
    assert set(rates(tmp_path, replace(RECIPE, warmup_steps=0, cosine=False))) == {1e-3}


def test_same_seed_same_weights_other_seed_others(tmp_path: Path) -> None:
    found = []
    for folder, seed in [("a", 1), ("b", 1), ("c", 2)]:
        run = trainer(tmp_path / folder, replace(RECIPE, seed=seed))
        run.run(ignore)
        found.append(weights(run))
    assert same(found[0], found[1])
    assert not any(found[0][k].equal(found[2][k]) for k in found[0] if k.endswith("weight"))


def test_progress_counts_steps_and_epochs(tmp_path: Path) -> None:
    found: list[Progress] = []
    trainer(tmp_path, replace(RECIPE, epochs=1.5)).run(found.append)
    assert [p.step for p in found] == [1, 2, 3, 4, 5, 6]
    assert [p.epoch_ended for p in found] == [None, None, None, 1, None, 2]
    assert {p.steps for p in found} == {6}


def test_training_brings_the_distortion_down(tmp_path: Path) -> None:
    found: list[float] = []
    data = dataset(levels([0, 40, 200, 255] * 4))
    recipe = replace(RECIPE, epochs=16, learning_rate=3e-3)
    trainer(tmp_path, recipe, data).run(lambda p: found.append(p.terms["distortion"]))
    assert np.mean(found[-8:]) < 0.5 * np.mean(found[:4])
