import numpy as np
import pytest

from tests.training.sources import dataset
from training.evaluate.baselines import pca

SIZE = 8


def mixed(count: int, seed: int) -> np.ndarray:
    """Images that vary along three axes of very different size."""
    axes = np.random.default_rng(0).normal(size=(3, SIZE * SIZE * 3))
    weights = np.random.default_rng(seed).normal(size=(count, 3)) * (20, 6, 2)
    images = 128 + weights @ axes / 3
    return np.clip(images.round(), 0, 255).astype(np.uint8).reshape(count, SIZE, SIZE, 3)


def test_more_components_reconstruct_better() -> None:
    found = pca(dataset(mixed(60, 1)), dataset(mixed(20, 2)), components=(1, 2, 3))
    assert list(found) == ["0", "1", "2", "3"]
    assert list(found.values()) == sorted(found.values())
    assert found["3"] > 45  # what is left is rounding


def test_it_agrees_with_the_singular_vectors() -> None:
    train, test = mixed(30, 1), mixed(10, 2)
    x, y = (p.reshape(len(p), -1) / 255.0 for p in (train, test))
    mean = x.mean(0)
    basis = np.linalg.svd(x - mean, full_matrices=False)[2][:2]
    copy = np.clip(mean + (y - mean) @ basis.T @ basis, 0, 1)
    expected = (-10 * np.log10(np.square(copy - y).mean(1))).mean()
    found = pca(dataset(train), dataset(test), components=(2, 400))
    assert found["2"] == pytest.approx(expected, abs=1e-3)
    assert "400" not in found
