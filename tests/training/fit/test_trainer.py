import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
    EventAccumulator,
)
from torch import Tensor

from tests.training.sources import Bytes, dataset, levels, noise
from training.analysis.attribute_classifier import AttributeClassifier
from training.data.augment import Augmentation
from training.data.sources import Dataset
from training.fit.loss import Loss, LossConfig, Terms
from training.fit.presets import Recipe
from training.fit.trainer import Progress, Trainer, TrainingError
from vae.checkpoint import Checkpoint
from vae.model import VAEConfig
from vae.pixels import to_float
from vae.prior import LatentStatistics

SMALL = VAEConfig("residual", 3, 32, latent_dim=4, widths=(8, 16))
SIGMOID = replace(SMALL, output="sigmoid")
RECIPE = Recipe(SMALL, epochs=4, batch_size=4, warmup_steps=4)  # 16 steps of 16 pictures

Watch = Callable[[Tensor], None]


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


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """What the loss is shown, one tensor a step."""
    seen: list[Tensor] = []
    forward = Loss.forward

    def watched(self: Loss, model: Any, x: Tensor, *rest: Any) -> Terms:
        seen.append(x.clone())
        return forward(self, model, x, *rest)

    monkeypatch.setattr(Loss, "forward", watched)
    return seen


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
def test_an_interrupted_run_ends_bit_for_bit_like_an_unbroken_one(
    tmp_path: Path, recipe: Recipe
) -> None:
    whole = trainer(tmp_path / "whole", recipe)
    assert whole.run(ignore)
    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path / "run", recipe).run(stop_after(6), save_minutes=0)
    again = trainer(tmp_path / "run", recipe)
    assert again.step == 6
    assert again.run(ignore)
    assert same(weights(again), weights(whole))
    assert same(dict(again.loss.named_parameters()), dict(whole.loss.named_parameters()))


def test_no_time_at_all_saves_the_beginning(tmp_path: Path) -> None:
    first = trainer(tmp_path / "run")
    assert not first.run(ignore, max_minutes=0)
    assert first.step == 0
    again = trainer(tmp_path / "run")
    assert again.run(ignore)
    whole = trainer(tmp_path / "whole")
    whole.run(ignore)
    assert same(weights(again), weights(whole))


def test_time_that_runs_out_leaves_a_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("training.fit.trainer.time.monotonic", lambda: clock[0])

    def a_minute_passes(_: Progress) -> None:
        clock[0] += 60

    first = trainer(tmp_path / "run")
    assert not first.run(a_minute_passes, max_minutes=5, save_minutes=math.inf)
    assert first.step == 5
    assert trainer(tmp_path / "run").step == 5


@pytest.mark.parametrize(
    ("recipe", "pictures"),
    [
        (replace(RECIPE, learning_rate=1e-4), noise(16)),
        (replace(RECIPE, seed=1), noise(16)),
        (replace(RECIPE, epochs=5), noise(16)),
    ],
    ids=["rate", "seed", "epochs"],
)
def test_a_save_of_another_recipe_is_refused(
    tmp_path: Path, recipe: Recipe, pictures: Bytes
) -> None:
    trainer(tmp_path).run(ignore, max_minutes=0)
    with pytest.raises(TrainingError, match=r"another recipe, or other data.*--restart"):
        trainer(tmp_path, recipe, dataset(pictures))


def test_a_save_on_other_data_is_refused(tmp_path: Path) -> None:
    trainer(tmp_path).run(ignore, max_minutes=0)
    other = replace(dataset(noise(16, seed=1)), sha256="1" * 64)
    with pytest.raises(TrainingError, match="another recipe, or other data"):
        trainer(tmp_path, data=other)


def test_a_run_begins_with_the_weights_it_is_given(tmp_path: Path) -> None:
    first = trainer(tmp_path / "first")
    first.run(ignore)
    start = described(first, sha256="1" * 64)
    second = started(tmp_path / "second", start)
    assert same(weights(second), start.model.state_dict())
    second.run(ignore, max_minutes=0)
    with pytest.raises(TrainingError, match="another recipe, or other data, start or guide"):
        started(tmp_path / "second", described(first, sha256="2" * 64))
    wide = replace(RECIPE, model=replace(SMALL, latent_dim=SMALL.latent_dim + 1))
    with pytest.raises(TrainingError, match="another network than the recipe's"):
        started(tmp_path / "third", start, wide)


def test_a_run_begins_with_the_principal_axes_of_a_wider_start(tmp_path: Path) -> None:
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


def test_a_run_is_guided_by_the_guide_it_began_with(tmp_path: Path) -> None:
    recipe = replace(RECIPE, loss=LossConfig(guide=0.5), epochs=0.5)
    data = dataset(noise(16), {"glasses": [0, 1] * 8})
    first, other = AttributeClassifier(["glasses"]), AttributeClassifier(["glasses"])
    first.sha256, other.sha256 = "1" * 64, "2" * 64

    def guided(guide: AttributeClassifier | None, folder: str) -> Trainer:
        return Trainer(recipe, data, tmp_path / folder, torch.device("cpu"), guide=guide)

    ends = []
    for guide, folder in ((first, "whole"), (first, "broken"), (other, "other")):
        run = guided(guide, folder)
        if folder == "broken":
            run.run(ignore, max_minutes=0)
            run = guided(guide, folder)
        run.run(ignore)
        ends.append(weights(run))
    assert same(ends[0], ends[1])
    assert not same(ends[0], ends[2])
    with pytest.raises(TrainingError, match="start or guide"):
        guided(other, "whole")
    with pytest.raises(TrainingError, match="there is no --guide"):
        guided(None, "none")


def described(run: Trainer, sha256: str) -> Checkpoint:
    dim = run.recipe.model.latent_dim
    statistics = LatentStatistics(torch.zeros(dim), torch.eye(dim))
    return Checkpoint(run.averaged_model(), statistics, sha256=sha256)


def started(folder: Path, start: Checkpoint, recipe: Recipe = RECIPE) -> Trainer:
    return Trainer(recipe, dataset(noise(16)), folder, torch.device("cpu"), start)


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
    whole = trainer(tmp_path / "whole")
    whole.run(ignore)
    assert same(weights(again), weights(whole))


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


def test_pixels_reach_the_model_between_zero_and_one(tmp_path: Path, batches: list[Tensor]) -> None:
    """Not between -1 and 1, where binary cross-entropy has no floor."""
    recipe = replace(RECIPE, model=SIGMOID, loss=LossConfig("bce"))
    trainer(tmp_path, recipe, dataset(noise(16))).run(ignore)
    seen = torch.cat(batches)
    assert (float(seen.min()), float(seen.max())) == (0.0, 1.0)


def test_an_epoch_shows_every_picture_once_in_an_order_of_its_own(
    tmp_path: Path, batches: list[Tensor]
) -> None:
    values = [10 * i for i in range(16)]
    trainer(tmp_path, RECIPE, dataset(levels(values))).run(ignore)
    shown = (torch.cat(batches)[:, 0, 0, 0] * 255).round().int().reshape(4, 16)
    assert all(sorted(epoch) == values for epoch in shown.tolist())
    assert len({tuple(epoch) for epoch in shown.tolist()}) == 4


def test_balance_gives_half_of_every_batch_the_label(tmp_path: Path, batches: list[Tensor]) -> None:
    label = [1.0, 0.0, math.nan, *[0.0] * 13]
    data = dataset(levels([255 if v == 1 else 0 for v in label]), {"glasses": label})
    trainer(tmp_path, replace(RECIPE, balance="glasses"), data).run(ignore)
    positives = [int(x[:, 0, 0, 0].sum()) for x in batches]
    assert len(positives) == 16
    assert min(positives) == 2
    assert sum(positives) < 16 * 3


@pytest.mark.parametrize("values", [[0.0] * 16, [math.nan] * 16])
def test_a_label_that_nobody_has_cannot_be_balanced(tmp_path: Path, values: list[float]) -> None:
    data = dataset(noise(16), {"glasses": values})
    with pytest.raises(TrainingError, match="no train picture has label 'glasses'"):
        trainer(tmp_path, replace(RECIPE, balance="glasses"), data)


def test_flip_mirrors_about_half_and_leaves_the_data_alone(
    tmp_path: Path, batches: list[Tensor]
) -> None:
    pictures = levels([0] * 16)
    pictures[:, :, :16] = 255  # the left half is white
    before = pictures.copy()
    trainer(tmp_path, replace(RECIPE, augmentation=Augmentation(flip=True)), dataset(pictures)).run(
        ignore
    )
    seen = torch.cat(batches)
    left, right = seen[..., :16].mean((1, 2, 3)), seen[..., 16:].mean((1, 2, 3))
    assert torch.equal(left, 1 - right)
    assert 20 <= int(left.sum()) <= 44
    assert np.array_equal(pictures, before)


def test_progress_tells_of_steps_and_epochs(tmp_path: Path) -> None:
    found: list[Progress] = []
    trainer(tmp_path, replace(RECIPE, epochs=1.5)).run(found.append)
    assert [p.step for p in found] == [1, 2, 3, 4, 5, 6]
    assert [p.epoch_ended for p in found] == [None, None, None, 1, None, 2]
    assert found[-1].seen == 24
    assert {p.steps for p in found} == {6}


def test_training_brings_the_distortion_down(tmp_path: Path) -> None:
    found: list[float] = []
    data = dataset(levels([0, 40, 200, 255] * 4))
    recipe = replace(RECIPE, epochs=16, learning_rate=3e-3)
    trainer(tmp_path, recipe, data).run(lambda p: found.append(p.distortion))
    assert np.mean(found[-8:]) < 0.5 * np.mean(found[:4])


def test_tensorboard_can_read_the_terms(tmp_path: Path) -> None:
    trainer(tmp_path).run(ignore)
    board = EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    assert {"distortion", "rate (nats)", "learning rate"} <= set(board.Tags()["scalars"])
    steps = [event.step for event in board.Scalars("distortion")]
    assert steps == [4, 8, 10, 12, 16]
