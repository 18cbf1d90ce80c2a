"""The model here has two latents: how light a stripe at the eyes is, and how light the chin is."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.training.sources import dataset
from training.data.dataset import Dataset
from training.evaluate.preserved_edits import WEIGHTS, applies, preserved_edits
from vae.attribute_classifier import AttributeClassifier
from vae.checkpoint import Checkpoint
from vae.config import VAEConfig
from vae.directions import Direction
from vae.gaussian import DiagonalGaussian
from vae.model import VAE
from vae.prior import LatentStatistics

SIZE = 64
EYES, CHIN = (slice(20, 24), slice(8, 56)), (slice(50, 56), slice(24, 40))
SKIN, FRAME = 0.6, 0.2


class Stripes(VAE):
    """Draws a flat face with an eye stripe and a chin."""

    def __init__(self) -> None:
        super().__init__(VAEConfig("residual", 3, SIZE, latent_dim=2, widths=(4,), blocks=0))

    def encode(self, x: Tensor) -> DiagonalGaussian:
        mean = torch.stack([x[..., *part].mean((1, 2, 3)) for part in (EYES, CHIN)], 1)
        return DiagonalGaussian(mean, torch.full_like(mean, -30.0))

    def decode(self, z: Tensor) -> Tensor:
        x = torch.full((len(z), 3, SIZE, SIZE), SKIN)
        for i, part in enumerate((EYES, CHIN)):
            x[..., *part] = z[:, i, None, None, None]
        return x.clamp(0, 1)


class Reader(AttributeClassifier):
    """A dark stripe is a frame, a light chin a man."""

    def __init__(self, *labels: str) -> None:
        torch.nn.Module.__init__(self)
        self.labels = labels
        self.weight = torch.nn.Parameter(torch.tensor(40.0))

    def forward(self, x: Tensor) -> Tensor:
        mean = Stripes().encode(x).mean
        signs = {"glasses": 0.4 - mean[:, 0], "male": mean[:, 1] - 0.5}
        return self.weight * torch.stack([signs[label] for label in self.labels], 1)


def faces(count: int = 12) -> Dataset:
    """Grainy faces, every second one with a frame, every third one a man."""
    rng = np.random.default_rng(0)
    images = np.full((count, SIZE, SIZE, 3), SKIN)
    glasses, male = (np.array([float(i % n == 0) for i in range(count)]) for n in (2, 3))
    for image, frame, man in zip(images, glasses, male, strict=True):
        image[CHIN] = 0.8 if man else 0.3
        if frame:
            image[EYES] = FRAME
        image += rng.normal(0.0, 0.01, image.shape)
    pixels = (255 * images).round().clip(0, 255).astype(np.uint8)
    labels = {"glasses": glasses.tolist(), "male": male.tolist()}
    return dataset(pixels, labels)


def checkpoint(step: float = FRAME - SKIN, chin: float = 0.0) -> Checkpoint:
    direction = Direction(torch.tensor([step, chin]), "", "", 1)
    statistics = LatentStatistics(torch.zeros(2), torch.eye(2))
    return Checkpoint(Stripes(), statistics, directions={"glasses": direction})


def test_a_model_that_draws_frames_puts_them_on_and_takes_them_off() -> None:
    found = preserved_edits(checkpoint(), faces(), Reader("male", "glasses"))
    assert list(found) == [str(weight) for weight in WEIGHTS]
    scores = found["1.0"]
    assert scores["put_on"] == scores["taken_off"] == 1
    assert scores["sex_changed_on"] == scores["sex_changed_off"] == scores["changed_outside"] == 0
    assert 0.5 < scores["untouched"] < 1
    assert scores["edges_left"] == pytest.approx(1.0, abs=0.5)


def test_a_photograph_is_restored_better_outside_the_mask() -> None:
    scores = preserved_edits(checkpoint(), faces(), Reader("glasses", "male"))["1.0"]
    assert scores["restored_outside_db"] == pytest.approx(60.0)
    assert 25 < scores["restored_inside_db"] < 60


def test_a_direction_that_makes_men_of_women_has_errors_of_sex() -> None:
    test = faces()
    scores = preserved_edits(checkpoint(chin=0.5), test, Reader("glasses", "male"))["1.0"]
    women = float((test.labels["male"][test.labels["glasses"] == 0] == 0).mean())
    assert scores["sex_errors_on"] == scores["sex_changed_on"] == pytest.approx(women)
    assert scores["sex_errors_off"] > 0


def test_a_direction_that_does_nothing_changes_nothing() -> None:
    scores = preserved_edits(checkpoint(0.0), faces(), Reader("glasses", "male"))["1.0"]
    assert scores["put_on"] == scores["taken_off"] == 0
    assert scores["untouched"] == 1


def test_it_applies_to_glasses_that_somebody_judges() -> None:
    assert applies(checkpoint(), faces(), Reader("glasses", "male"))
    assert not applies(checkpoint(), faces(), Reader("male"))
    assert not applies(checkpoint(), faces(2).rows_at(np.array([0])), Reader("glasses", "male"))
    without = Checkpoint(Stripes(), LatentStatistics(torch.zeros(2), torch.eye(2)))
    assert not applies(without, faces(), Reader("glasses", "male"))
