import torch
from torch import Tensor

from vae.contrast import contrast_direction

DIM = 12


def seeded(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def cosine(a: Tensor, b: Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(a, b, dim=0))


def free_of(step: Tensor, held: Tensor, covariance: Tensor) -> Tensor:
    """The part of a step that the classifiers of the held directions do not see."""
    inverse = torch.linalg.inv(covariance)
    gram = held @ inverse @ held.T
    shares: Tensor = torch.linalg.solve(gram, held @ inverse @ step)
    return step - shares @ held


def test_what_groups_differ_in_by_chance_is_held() -> None:
    held, factor = seeded(2, DIM, seed=1), seeded(DIM, DIM, seed=2)
    covariance = factor @ factor.T + 0.1 * torch.eye(DIM)
    frame = free_of(seeded(DIM, seed=3), held, covariance)
    noise = 0.02 * seeded(80, DIM, seed=4)
    negatives = 3.0 + noise[:40]
    positives = 3.0 + frame + 0.8 * held[0] - 0.5 * held[1] + noise[40:]
    direction = contrast_direction(positives, negatives, held, covariance)
    assert cosine(direction, frame) > 0.999
    torch.testing.assert_close(direction.norm(), frame.norm(), rtol=0.01, atol=0)
    assert cosine(positives.mean(0) - negatives.mean(0), frame) < 0.95
    normals = torch.linalg.solve(covariance, held.T)
    changed = direction @ normals / (frame @ torch.linalg.solve(covariance, frame)).sqrt()
    assert changed.abs().max() < 1e-3


def test_without_held_directions_it_is_the_difference_of_the_means() -> None:
    positives, negatives = seeded(3, DIM), seeded(5, DIM, seed=1)
    direction = contrast_direction(positives, negatives, torch.zeros(0, DIM), torch.eye(DIM))
    torch.testing.assert_close(direction, positives.mean(0) - negatives.mean(0))


def test_held_directions_may_be_collinear_and_the_covariance_singular() -> None:
    held = seeded(1, DIM, seed=1)
    covariance = torch.diag(torch.tensor([1.0] * 6 + [0.0] * 6))
    groups = seeded(4, DIM), seeded(4, DIM, seed=3)
    once = contrast_direction(*groups, held, covariance)
    twice = contrast_direction(*groups, held.repeat(2, 1), covariance)
    assert once.isfinite().all()
    torch.testing.assert_close(twice, once)
