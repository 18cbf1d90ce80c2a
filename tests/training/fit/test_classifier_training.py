import numpy as np
import pytest
import torch

from tests.training.sources import dataset, noise
from training.analysis.attribute_classifier import accuracy
from training.data.dataset import DataError, Dataset
from training.fit.classifier_training import (
    Schedule,
    independence_weights,
    shrunk,
    train_classifier,
)
from vae.attribute_classifier import AttributeClassifier
from vae.pixels import resized

SIZE = 64
CPU = torch.device("cpu")


def striped(count: int, seed: int = 0) -> Dataset:
    """Images of noise; ``glasses`` is a dark band, ``male`` a light lower half."""
    rng = np.random.default_rng(seed)
    images = noise(count, SIZE, seed=seed) // 2 + 40
    glasses, male = (rng.integers(0, 2, count) for _ in range(2))
    images[glasses == 1, 20:30] = 10
    images[male == 1, 40:] += 80
    partly_known = np.where(np.arange(count) % 7 == 0, np.nan, glasses)
    labels = {"glasses": list(partly_known), "male": list(male), "age": [30.5] * count}
    return dataset(images, labels)


SHORT = (  # images and schedule
    (40, Schedule(epochs=3, batch_size=8)),
    (96, Schedule("convnet", epochs=8, batch_size=16, learning_rate=2e-3)),
)


@pytest.fixture(scope="module", params=SHORT, ids=lambda short: short[1].network)
def trained(request: pytest.FixtureRequest) -> AttributeClassifier:
    count, schedule = request.param
    return train_classifier(striped(count), ("glasses", "male"), schedule, CPU)


def test_a_classifier_learns_what_is_in_the_images(trained: AttributeClassifier) -> None:
    fractions = accuracy(trained, striped(40, seed=1))
    assert fractions["glasses"] > 0.9
    assert fractions["male"] > 0.9
    assert not trained.training


@pytest.mark.parametrize("size", [8, 16])
def test_larger_images_are_shrunk_once_and_smaller_ones_are_not_enlarged(size: int) -> None:
    data = dataset(noise(70, 16), {"glasses": [float(i % 2) for i in range(70)]})
    data = data.rows_at(range(69, 0, -1))
    small = shrunk(data, size)
    pixels = data.batch(range(69)).permute(0, 3, 1, 2).float()
    expected = resized(pixels, size).permute(0, 2, 3, 1)
    assert (small.batch(range(69)).float() - expected).abs().max() <= 1
    assert small.labels == data.labels
    assert shrunk(data, 32) is data


@pytest.mark.parametrize(("label", "message"), [("hat", "no label 'hat'"), ("age", "of 0 and 1")])
def test_a_label_that_cannot_be_learnt_is_named(label: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        train_classifier(striped(8), (label,), Schedule(), CPU)


def test_labels_that_are_correlated_in_the_data_are_weighted_to_be_independent() -> None:
    glasses = torch.tensor([1.0] * 9 + [0.0] * 4 + [1.0] + [0.0] * 6)
    male = torch.tensor([1.0] * 13 + [0.0] * 7)
    table = torch.stack([glasses, male], dim=1)
    weights = independence_weights(table)
    assert weights.sum().item() == pytest.approx(len(table))
    for sex in (0, 1):
        of_sex = weights * (male == sex)
        assert (of_sex * glasses).sum() / of_sex.sum() == pytest.approx(0.5)
    unknown = torch.tensor([[torch.nan, 1.0]])
    assert independence_weights(torch.cat([table, unknown]))[-1] == 1
