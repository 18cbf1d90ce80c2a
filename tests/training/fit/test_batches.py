import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.training.fit.trainer_runs import RECIPE, SIGMOID, ignore, trainer
from tests.training.sources import dataset, levels, noise
from training.data.augment import Augmentation
from training.fit.errors import TrainingError
from training.fit.loss import Loss, LossConfig, Terms


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


def test_pixels_reach_the_model_between_zero_and_one(tmp_path: Path, batches: list[Tensor]) -> None:
    """Not between -1 and 1, where binary cross-entropy has no floor."""
    recipe = replace(RECIPE, model=SIGMOID, loss=LossConfig("bce"))
    trainer(tmp_path, recipe, dataset(noise(16))).run(ignore)
    seen = torch.cat(batches)
    assert (float(seen.min()), float(seen.max())) == (0.0, 1.0)


def test_an_epoch_shows_every_image_once_in_an_order_of_its_own(
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
def test_a_label_without_positives_cannot_be_balanced(tmp_path: Path, values: list[float]) -> None:
    data = dataset(noise(16), {"glasses": values})
    with pytest.raises(TrainingError, match="no train image has label 'glasses'"):
        trainer(tmp_path, replace(RECIPE, balance="glasses"), data)


def test_flip_mirrors_about_half_and_leaves_the_data_alone(
    tmp_path: Path, batches: list[Tensor]
) -> None:
    images = levels([0] * 16)
    images[:, :, :16] = 255  # the left half is white
    before = images.copy()
    trainer(tmp_path, replace(RECIPE, augmentation=Augmentation(flip=True)), dataset(images)).run(
        ignore
    )
    seen = torch.cat(batches)
    left, right = seen[..., :16].mean((1, 2, 3)), seen[..., 16:].mean((1, 2, 3))
    assert torch.equal(left, 1 - right)
    assert 20 <= int(left.sum()) <= 44
    assert np.array_equal(images, before)
