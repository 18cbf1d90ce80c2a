import pytest
import torch

from training.analysis.features import WIDTH, Backbone
from training.evaluate.kernel_distance import (
    eye_features,
    eyes,
    face_features,
    kernel_distance,
)


def normal(count: int, shift: float = 0.0, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 8, generator=torch.Generator().manual_seed(seed)) + shift


def test_the_same_distribution_is_at_zero_within_its_error() -> None:
    found = kernel_distance(normal(600), normal(600, seed=1))
    assert abs(found.mean) < 3 * found.standard_error
    assert 0 < found.standard_error < 0.1


def test_another_distribution_is_far_and_farther_with_its_shift() -> None:
    near = kernel_distance(normal(240), normal(240, 0.5, seed=1))
    far = kernel_distance(normal(240), normal(240, 1.0, seed=1))
    assert near.mean > 5 * near.standard_error
    assert far.mean > 2 * near.mean


def test_two_points_by_hand() -> None:
    zeros, ones = torch.zeros(4, 2), torch.ones(4, 2)
    # k(0, 0) = 1, k(1, 1) = (2 / 2 + 1) ** 3 = 8, k(0, 1) = 1
    found = kernel_distance(zeros, ones, block=2)
    assert found.mean == pytest.approx(1 + 8 - 2)
    assert found.standard_error == 0.0


def test_too_few_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="119 images make no two blocks of 60"):
        kernel_distance(normal(119), normal(600))


def test_eyes_are_the_upper_middle_of_a_face() -> None:
    face = torch.zeros(1, 3, 200, 200)
    face[:, :, 50:110, 30:170] = 1.0
    assert eyes(face).shape == (1, 3, 96, 224)
    assert (eyes(face) == 1.0).all()
    assert (eyes(1.0 - face) == 0.0).all()


def test_features_of_faces_and_eyes() -> None:
    network = Backbone().eval()
    batches = [torch.rand(2, 3, 64, 64), torch.rand(1, 3, 64, 64)]
    assert face_features(network, batches).shape == (3, WIDTH)
    assert eye_features(network, batches).shape == (3, WIDTH)
