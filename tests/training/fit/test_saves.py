import errno
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.training.fit.trainer_runs import (
    RECIPE,
    SIGMOID,
    ignore,
    same,
    stop_after,
    trainer,
    weights,
)
from tests.training.sources import dataset, noise
from training.analysis.classifier_networks import build
from training.data.augment import Augmentation
from training.fit import saves
from training.fit.errors import TrainingError
from training.fit.loop import Progress
from training.fit.loss import Loss, LossConfig, Terms
from training.fit.presets import Recipe
from training.fit.trainer import Trainer
from vae.attribute_classifier import AttributeClassifier


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The loss is NaN in the second half of the training, until this is undone."""
    forward = Loss.forward

    def poisoned(
        self: Loss, model: Any, x: Tensor, generator: Any, progress: float, *rest: Any
    ) -> Terms:
        terms = forward(self, model, x, generator, progress, *rest)
        return terms if progress < 0.5 else replace(terms, objective=terms.objective * math.nan)

    monkeypatch.setattr(Loss, "forward", poisoned)
    return monkeypatch


@pytest.mark.parametrize(
    "recipe",
    [
        RECIPE,
        replace(RECIPE, ema=0.0, cosine=False, weight_decay=0.1),
        replace(
            RECIPE,
            loss=LossConfig("gaussian", kl_warmup=0.5),
            augmentation=Augmentation(True, 1, 0.1),
        ),
        replace(RECIPE, model=SIGMOID, loss=LossConfig("bce", free_bits=0.1)),
    ],
    ids=["plain", "last weights", "learned scale", "bernoulli"],
)
def test_an_interrupted_run_ends_bit_for_bit_like_an_uninterrupted_one(
    tmp_path: Path, recipe: Recipe
) -> None:
    uninterrupted = trainer(tmp_path / "uninterrupted", recipe)
    assert uninterrupted.run(ignore)
    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path / "run", recipe).run(stop_after(6), save_minutes=0)
    again = trainer(tmp_path / "run", recipe)
    assert again.step == 6
    assert again.run(ignore)
    assert same(weights(again), weights(uninterrupted))
    assert same(dict(again.loss.named_parameters()), dict(uninterrupted.loss.named_parameters()))


def test_no_time_at_all_saves_the_beginning(tmp_path: Path) -> None:
    first = trainer(tmp_path / "run")
    assert not first.run(ignore, max_minutes=0)
    assert first.step == 0
    again = trainer(tmp_path / "run")
    assert again.run(ignore)
    uninterrupted = trainer(tmp_path / "uninterrupted")
    uninterrupted.run(ignore)
    assert same(weights(again), weights(uninterrupted))


def test_time_that_runs_out_leaves_a_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("training.fit.loop.time.monotonic", lambda: clock[0])

    def a_minute_passes(_: Progress) -> None:
        clock[0] += 60

    first = trainer(tmp_path / "run")
    assert not first.run(a_minute_passes, max_minutes=5, save_minutes=math.inf)
    assert first.step == 5
    assert trainer(tmp_path / "run").step == 5


@pytest.mark.parametrize(
    ("recipe", "difference"),
    [
        (replace(RECIPE, learning_rate=1e-4), "recipe.learning_rate (0.001 there, 0.0001 now)"),
        (replace(RECIPE, seed=1), "recipe.seed (0 there, 1 now)"),
        (
            replace(RECIPE, loss=LossConfig(beta=2.0)),
            "recipe.loss.beta (1.0 there, 2.0 now)",
        ),
    ],
    ids=["rate", "seed", "beta"],
)
def test_a_save_of_another_recipe_is_refused(
    tmp_path: Path, recipe: Recipe, difference: str
) -> None:
    trainer(tmp_path).run(ignore, max_minutes=0)
    match = rf"a run that differs in {re.escape(difference)}\. Choose .*--restart"
    with pytest.raises(TrainingError, match=match):
        trainer(tmp_path, recipe)


def test_a_save_on_other_data_is_refused(tmp_path: Path) -> None:
    trainer(tmp_path).run(ignore, max_minutes=0)
    other = replace(dataset(noise(16, seed=1)), sha256="1" * 64)
    with pytest.raises(TrainingError, match="differs in the pixels of the images"):
        trainer(tmp_path, data=other)


def test_a_run_resumes_with_its_own_auxiliary_classifier_only(tmp_path: Path) -> None:
    recipe = replace(RECIPE, loss=LossConfig(classifier_weight=0.5), epochs=0.5)
    data = dataset(noise(16), {"glasses": [0, 1] * 8})
    first, other = build(["glasses"]), build(["glasses"])
    first.sha256, other.sha256 = "1" * 64, "2" * 64

    def run_with(classifier: AttributeClassifier | None, folder: str) -> Trainer:
        cpu = torch.device("cpu")
        return Trainer(recipe, data, tmp_path / folder, cpu, auxiliary_classifier=classifier)

    ends = []
    for classifier, folder in ((first, "uninterrupted"), (first, "broken"), (other, "other")):
        run = run_with(classifier, folder)
        if folder == "broken":
            run.run(ignore, max_minutes=0)
            run = run_with(classifier, folder)
        run.run(ignore)
        ends.append(weights(run))
    assert same(ends[0], ends[1])
    assert not same(ends[0], ends[2])
    with pytest.raises(TrainingError, match="the classifier of --auxiliary-classifier"):
        run_with(other, "uninterrupted")
    with pytest.raises(TrainingError, match="there is no --auxiliary-classifier"):
        run_with(None, "none")


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_save(
    tmp_path: Path, poison: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TrainingError, match=r"no longer finite at step 8 .*--learning-rate"):
        trainer(tmp_path / "run").run(ignore, save_minutes=0)
    again = trainer(tmp_path / "run")
    assert again.step == 8
    assert all(value.isfinite().all() for value in weights(again).values())
    poison.undo()
    again.run(ignore)
    uninterrupted = trainer(tmp_path / "uninterrupted")
    uninterrupted.run(ignore)
    assert same(weights(again), weights(uninterrupted))


def test_steps_are_kept_when_their_report_cannot_be_written(tmp_path: Path) -> None:
    def report(progress: Progress) -> None:
        if progress.step == 5:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        trainer(tmp_path).run(report, save_minutes=math.inf)
    assert saves.last_step(tmp_path) == 5
