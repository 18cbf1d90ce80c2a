"""The classifier here reads two stripes of an image; the latents of the model are those stripes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.training.sources import dataset
from training.data.dataset import DataError, Dataset
from training.evaluate.edit_evaluation import SUMS, evaluate_edits
from vae.attribute_classifier import AttributeClassifier
from vae.checkpoint import Checkpoint
from vae.config import VAEConfig
from vae.directions import Direction
from vae.gaussian import DiagonalGaussian
from vae.model import VAE
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
    """Confident: light eyes are glasses, a light chin is a man."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)
        self.labels = ("glasses", "male")
        self.network = "convnet"
        self.sha256, self.accuracy = "reader", {"glasses": 1.0, "male": 1.0}

    def forward(self, x: Tensor) -> Tensor:
        return 40 * (Stripes().encode(x).mean - 0.5)


def faces(count: int = 24) -> Dataset:
    glasses, male = np.arange(count) % 2, np.arange(count) // 2 % 2
    images = np.full((count, SIZE, SIZE, 3), 128, np.uint8)
    for image, g, m in zip(images, glasses, male, strict=True):
        image[EYES] = 178 if g else 78
        image[CHIN] = 178 if m else 78
    return dataset(images, {"glasses": list(glasses), "male": list(male)})


def checkpoint(step: tuple[float, float]) -> Checkpoint:
    direction = Direction(torch.tensor(step), "on", "made", 1)
    nowhere = LatentStatistics(torch.zeros(2), torch.eye(2))
    return Checkpoint(Stripes(), nowhere, {"glasses": direction})


def test_a_right_direction_changes_glasses_and_nothing_else() -> None:
    found = evaluate_edits(checkpoint((0.4, 0.0)), faces(), faces(), Reader())
    assert (found["recall"], found["false_positive_rate"]) == (1, 0)
    assert found["sex_changed_by_reconstruction"] == 0
    for by_weight in found["edits"].values():
        for scores in by_weight.values():
            assert scores["put_on"] == scores["taken_off"] == 1
            assert scores["sex_changed"] == scores["sex_changed_worst_group"] == 0
            assert scores["outside_eyes_psnr_db"] > 60
    assert found["sums"] == {name: {"glasses": 1, "sex": 1} for name in SUMS}
    assert found["smoothness"] == pytest.approx(1, abs=0.05)


def regression(step: tuple[float, float]) -> dict[str, dict[str, float]]:
    """The figures of a direction by weight."""
    found = evaluate_edits(checkpoint(step), faces(), faces(), Reader())
    by_weight: dict[str, dict[str, float]] = found["edits"]["regression"]
    return by_weight


def test_a_direction_that_does_too_little_or_too_much_is_seen() -> None:
    weak = evaluate_edits(checkpoint((0.15, 0.0)), faces(), faces(), Reader())["edits"][
        "regression"
    ]
    assert [weak[w]["put_on"] for w in ("1.0", "1.5")] == [0, 1]
    astray = evaluate_edits(checkpoint((0.4, 0.4)), faces(), faces(), Reader())["edits"][
        "regression"
    ]
    assert astray["1.0"]["sex_changed"] == astray["1.0"]["sex_changed_raw"] == 0.5
    assert astray["1.0"]["sex_changed_beyond_reconstruction"] == 0.5
    assert astray["1.0"]["sex_changed_worst_group"] == 1  # women without, men with glasses
    assert astray["1.0"]["outside_eyes_psnr_db"] < 30


def test_what_the_reconstruction_changes_does_not_count_against_the_edit() -> None:
    class Inverted(Stripes):
        def decode(self, z: Tensor) -> Tensor:
            return super().decode(torch.stack([z[:, 0], 1 - z[:, 1]], dim=1))

    inverted = replace(checkpoint((0.4, 0.0)), model=Inverted())
    found = evaluate_edits(inverted, faces(), faces(), Reader())
    assert found["sex_changed_by_reconstruction"] == 1
    scores = found["edits"]["regression"]["1.0"]
    assert scores["sex_changed_raw"] == 1
    assert scores["sex_changed"] == scores["sex_changed_beyond_reconstruction"] == 0
    assert scores["sex_changed_worst_group"] == 0


def test_faces_that_the_classifier_is_wrong_about_do_not_count() -> None:
    test = faces()
    man, woman = (int(np.flatnonzero(test.labels["male"] == male)[0]) for male in (1, 0))
    for row in (man, woman):  # both without glasses
        test.labels["male"][row] = 1 - test.labels["male"][row]
    found = evaluate_edits(checkpoint((0.4, 0.4)), faces(), test, Reader())
    right = {group: scores["male"] for group, scores in found["accuracy_by_group"].items()}
    assert right["women without glasses"] == right["men without glasses"] == pytest.approx(5 / 6)
    assert right["women with glasses"] == right["men with glasses"] == 1
    assert all(s["glasses"] == 1 for s in found["accuracy_by_group"].values())
    # The step makes men of all women without glasses, and women of all men with them.
    scores = found["edits"]["regression"]["1.0"]
    assert scores["sex_changed_raw"] == pytest.approx(11 / 22)
    assert scores["sex_changed_worst_group"] == 1


def test_data_without_the_labels_is_refused() -> None:
    unlabelled = faces()
    del unlabelled.labels["male"]
    with pytest.raises(DataError, match="label 'male'"):
        evaluate_edits(checkpoint((0.4, 0.0)), faces(), unlabelled, Reader())
    with pytest.raises(DataError, match="no test image has glasses 1 and male 1"):
        evaluate_edits(checkpoint((0.4, 0.0)), faces(), faces(3), Reader())
