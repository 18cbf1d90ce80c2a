"""The latents of the model here are stripes of the image: the frame, its kind (two), the chin."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.training.sources import dataset
from training.data.dataset import Dataset
from training.evaluate.carried_edit import PAIRS, applies, carried_edits, closer_to_own
from vae.attribute_classifier import AttributeClassifier
from vae.checkpoint import Checkpoint
from vae.config import VAEConfig
from vae.directions import Direction, WithinLabelSubspace
from vae.gaussian import DiagonalGaussian
from vae.model import VAE
from vae.prior import LatentStatistics

SIZE = 64
STRIPES = (slice(18, 22), slice(24, 28), slice(30, 34), slice(48, 56))  # three at the eyes
FRAME, *KIND, CHIN = torch.eye(4)


class Stripes(VAE):
    """Four latents: how light each stripe is."""

    def __init__(self) -> None:
        super().__init__(VAEConfig("residual", 3, SIZE, latent_dim=4, widths=(4,), blocks=0))

    def encode(self, x: Tensor) -> DiagonalGaussian:
        mean = torch.stack([x[:, :, rows].mean((1, 2, 3)) for rows in STRIPES], 1)
        return DiagonalGaussian(mean, torch.full_like(mean, -30.0))

    def decode(self, z: Tensor) -> Tensor:
        x = torch.full((len(z), 3, SIZE, SIZE), 0.5)
        for i, rows in enumerate(STRIPES):
            x[:, :, rows] = z[:, i, None, None, None]
        return x.clamp(0, 1)


class Reader(AttributeClassifier):
    """A light chin is a man."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)
        self.labels = ("male",)
        self.weight = torch.nn.Parameter(torch.tensor(40.0))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * (Stripes().encode(x).mean[:, 3:] - 0.5)


def faces(count: int = 24) -> Dataset:
    """Every second one in glasses, each of its own kind: a point on a circle. Chins vary."""
    images = np.full((count, SIZE, SIZE, 3), 128, np.uint8)
    male = np.random.default_rng(0).integers(2, size=count)
    for i, image in enumerate(images):
        angle, wears = 2 * np.pi * i / count, i % 2
        kind = 128 + 60 * wears * np.array([np.cos(angle), np.sin(angle)])
        for rows, level in zip(STRIPES, (78 + 100 * wears, *kind, 100 + 56 * male[i]), strict=True):
            image[rows] = np.uint8(level)
    return dataset(images, {"glasses": [i % 2 for i in range(count)]})


def checkpoint(*axes: Tensor) -> Checkpoint:
    """One whose subspace of ``glasses`` has these axes."""
    rows = torch.stack(axes)
    subspace = WithinLabelSubspace(rows, rows.sum(1) / 2)
    direction = Direction(0.4 * FRAME, "glasses", "made", 12, subspace)
    statistics = LatentStatistics(torch.zeros(4), torch.eye(4))
    return Checkpoint(Stripes(), statistics, {"glasses": direction})


def test_a_carried_frame_is_told_from_those_of_all_other_givers() -> None:
    found = carried_edits(checkpoint(*KIND), faces(), Reader())
    assert found.keys() == {"1.0", "1.5"}
    for scores in found.values():
        assert scores["closer_to_giver"] == scores["closer_to_photograph"] == 1
        assert scores["sex_unchanged"] == 1
        assert scores["outside_eyes_psnr_db"] > 60


def test_a_subspace_with_a_part_of_the_kind_is_seen() -> None:
    scores = carried_edits(checkpoint(KIND[0]), faces())["1.0"]
    assert 0.6 < scores["closer_to_giver"] < 0.95
    assert 0.6 < scores["closer_to_photograph"] < 0.95


def test_a_subspace_that_carries_the_wearer_is_seen() -> None:
    found = carried_edits(checkpoint(3 * CHIN), faces(), Reader())
    assert found["1.0"]["closer_to_giver"] == 0  # nothing is carried at the eyes
    assert found["1.0"]["sex_unchanged"] < 0.8
    assert found["1.0"]["outside_eyes_psnr_db"] < 30


def test_without_a_classifier_sex_is_not_told() -> None:
    assert "sex_unchanged" not in carried_edits(checkpoint(*KIND), faces())["1.0"]


def test_it_needs_a_subspace_and_two_of_each() -> None:
    good = checkpoint(*KIND)
    assert applies(good, faces(4))
    assert not applies(good, faces(3))
    unlabelled = faces()
    del unlabelled.labels["glasses"]
    assert not applies(good, unlabelled)
    bare = replace(good.directions["glasses"], within_label=None)
    assert not applies(replace(good, directions={"glasses": bare}), faces())
    assert not applies(replace(good, directions={}), faces())


def test_at_most_100_pairs_are_measured() -> None:
    class Counting(Stripes):
        encoded = 0

        def encode(self, x: Tensor) -> DiagonalGaussian:
            Counting.encoded += len(x)
            return super().encode(x)

    counting = replace(checkpoint(*KIND), model=Counting())
    assert carried_edits(counting, faces(3 * PAIRS))["1.0"]["closer_to_giver"] > 0.95
    assert Counting.encoded == 2 * PAIRS


def test_closer_is_by_direction_and_not_by_size() -> None:
    references = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    assert closer_to_own(0.01 * references, references + 5.0) == 1
    assert closer_to_own(-references, references) == 0
    assert closer_to_own(references[[1, 0, 2]], references) == pytest.approx(4 / 6)
    assert closer_to_own(torch.zeros(3, 2), references) == 0
