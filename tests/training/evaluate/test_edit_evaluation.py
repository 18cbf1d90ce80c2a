"""Probes here read two stripes of a picture, and the latents of the model are those stripes."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.training.sources import dataset
from training.analysis.attribute_classifier import AttributeClassifier
from training.data.sources import DataError, Dataset
from training.evaluate.edit_evaluation import SUMS, judge
from vae.checkpoint import Checkpoint
from vae.directions import Direction
from vae.gaussian import DiagonalGaussian
from vae.model import VAE, VAEConfig
from vae.prior import LatentStatistics

SIZE = 32
EYES, CHIN = slice(10, 14), slice(24, 28)


class Stripes(VAE):
    """Two latents: how light the eyes and the chin are."""

    def __init__(self) -> None:
        super().__init__(VAEConfig("residual", 3, SIZE, latent_dim=2, widths=(4,), blocks=0))

    def encode(self, x: Tensor) -> DiagonalGaussian:
        mean = torch.stack([x[:, :, EYES].mean((1, 2, 3)), x[:, :, CHIN].mean((1, 2, 3))], 1)
        return DiagonalGaussian(mean, torch.full_like(mean, -30.0))

    def decode(self, z: Tensor) -> Tensor:
        x = torch.full((len(z), 3, SIZE, SIZE), 0.5)
        x[:, :, EYES] = z[:, 0, None, None, None]
        x[:, :, CHIN] = z[:, 1, None, None, None]
        return x.clamp(0, 1)


class Reader(AttributeClassifier):
    """Sure of what it reads: light eyes are glasses, a light chin is a man."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)
        self.labels = ("glasses", "male")
        self.sha256, self.accuracy = "reader", {"glasses": 1.0, "male": 1.0}

    def forward(self, x: Tensor) -> Tensor:
        return 40 * (Stripes().encode(x).mean - 0.5)


def people(count: int = 24) -> Dataset:
    glasses, male = np.arange(count) % 2, np.arange(count) // 2 % 2
    pictures = np.full((count, SIZE, SIZE, 3), 128, np.uint8)
    for picture, g, m in zip(pictures, glasses, male, strict=True):
        picture[EYES] = 178 if g else 78
        picture[CHIN] = 178 if m else 78
    return dataset(pictures, {"glasses": list(glasses), "male": list(male)})


def checkpoint(step: tuple[float, float]) -> Checkpoint:
    direction = Direction(torch.tensor(step), "on", "made", 1)
    nowhere = LatentStatistics(torch.zeros(2), torch.eye(2))
    return Checkpoint(Stripes(), nowhere, {"glasses": direction})


def test_a_right_direction_changes_glasses_and_nothing_else() -> None:
    found = judge(checkpoint((0.4, 0.0)), people(), people(), Reader())
    assert (found["kept"], found["gained"]) == (1, 0)
    for by_weight in found["edits"].values():
        for scores in by_weight.values():
            assert scores["put on"] == scores["taken off"] == 1
            assert scores["put on, preserved"] == scores["taken off, preserved"] == 1
            assert scores["sex changed"] == 0
            assert scores["outside_eyes_psnr_db"] > 60
    assert found["sums"] == {name: {"glasses": 1, "sex": 1} for name in SUMS}
    assert found["smoothness"] == pytest.approx(1, abs=0.05)


def test_a_direction_that_does_too_little_or_too_much_is_seen() -> None:
    weak = judge(checkpoint((0.15, 0.0)), people(), people(), Reader())["edits"]["regression"]
    assert [weak[w]["put on"] for w in ("1.0", "1.5")] == [0, 1]
    astray = judge(checkpoint((0.4, 0.4)), people(), people(), Reader())["edits"]["regression"]
    assert astray["1.0"]["sex changed"] == 0.5
    assert astray["1.0"]["outside_eyes_psnr_db"] < 30


def test_data_without_the_labels_cannot_be_judged_by() -> None:
    bare = people()
    del bare.labels["male"]
    with pytest.raises(DataError, match="label 'male'"):
        judge(checkpoint((0.4, 0.0)), people(), bare, Reader())
    with pytest.raises(DataError, match="no test picture has glasses 1 and male 1"):
        judge(checkpoint((0.4, 0.0)), people(), people(3), Reader())
