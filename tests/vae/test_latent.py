import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from vae.latent import (
    Easing,
    Method,
    eased,
    lerp,
    path,
    path_through,
    seeded_noise,
    seeded_noise_and_uniform,
    slerp,
    weighted_sum,
)

ENDS = torch.tensor([0.0, 1.0])
each_method = pytest.mark.parametrize("method", ["slerp", "lerp"])


def two(dim: int = 16) -> tuple[Tensor, Tensor]:
    start, end = seeded_noise([1, 2], dim)
    return start, end


def test_a_row_of_noise_depends_on_its_own_seed_alone() -> None:
    together = seeded_noise([7, 2**53 - 1, 7, 2**32 + 7], 19)
    assert together.shape == (4, 19)
    for row, seed in zip(together, [7, 2**53 - 1, 7, 2**32 + 7], strict=True):
        assert torch.equal(seeded_noise([seed], 19)[0], row)
    assert not torch.equal(together[0], together[3])


def test_noise_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    seeded_noise([1], 3)
    assert torch.equal(torch.get_rng_state(), before)


HIGH_SEEDS = [7 + 2**32, 7 + 2**33, 2**53 - 1, 2**64 - 1]


@pytest.mark.parametrize(
    "draw", [lambda s: seeded_noise(s, 8), lambda s: seeded_noise_and_uniform(s, 8)[1]]
)
def test_seeds_that_share_their_low_32_bits_differ(draw: Callable[[list[int]], Tensor]) -> None:
    rows = draw([7, *HIGH_SEEDS]).reshape(5, -1)
    assert torch.cdist(rows, rows).fill_diagonal_(1.0).min() > 1e-4


def test_the_noise_of_a_seed_never_changes() -> None:
    """README, model cards and stored requests name images by their seed."""
    noise, uniform = seeded_noise_and_uniform([7, 2**32 - 1, 7 + 2**32, 2**53 - 1], 3)
    expected = [
        [-0.1467951, 0.7861413, 0.9468216, 0.3653162],
        [1.2197630, -0.3929795, 1.0230751, 0.5925575],
        [-0.4947584, -0.7118476, -0.0438832, 0.4859077],
        [0.6546583, -0.1069573, -0.9173813, 0.1141168],
    ]
    torch.testing.assert_close(torch.cat([noise, uniform[:, None]], dim=1), torch.tensor(expected))


def test_seeds_of_32_bits_draw_as_pytorch_does() -> None:
    for seed in (0, 7, 2**32 - 1):
        generator = torch.Generator().manual_seed(seed)
        noise, uniform = seeded_noise_and_uniform([seed], 19)
        assert torch.equal(noise[0], torch.randn(19, generator=generator))
        assert torch.equal(uniform, torch.rand(1, generator=generator))
        assert torch.equal(seeded_noise([seed], 19), noise)


@pytest.mark.parametrize("seed", [2**64, 2**70])
def test_a_seed_has_at_most_64_bits(seed: int) -> None:
    with pytest.raises(OverflowError):
        seeded_noise([seed], 2)


@pytest.mark.parametrize("first", [0, 2**32, 2**53 - 4000])
@pytest.mark.parametrize("step", [1, 2**20])
def test_consecutive_seeds_are_independent(first: int, step: int) -> None:
    n = 4000
    seeds = [(first + i * step) % 2**53 for i in range(n)]
    noise, uniform = seeded_noise_and_uniform(seeds, 3)
    assert noise.isfinite().all()
    assert noise.mean(0).abs().max() < 4.0 / math.sqrt(n)
    columns = torch.cat([noise[:-1].T, noise[1:].T, uniform[None, 1:]])
    deviation = torch.corrcoef(columns) - torch.eye(7)
    assert deviation.abs().max() < 5.0 / math.sqrt(n)
    assert (noise.var(0) - 1).abs().max() < 5.0 * math.sqrt(2 / n)
    assert (noise.pow(4).mean(0) - 3).abs().max() < 5.0 * math.sqrt(96 / n)
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert abs(float(uniform.mean()) - 0.5) < 4.0 / math.sqrt(12 * n)


def test_lerp_is_the_straight_line() -> None:
    start, end = two()
    line = lerp(start, end, torch.tensor([0.0, 0.25, 1.0]))
    assert torch.equal(line[0], start)
    assert torch.equal(line[2], end)
    torch.testing.assert_close(line[1], start + 0.25 * (end - start))


def test_slerp_includes_both_ends() -> None:
    start, end = two()
    torch.testing.assert_close(slerp(start, end, ENDS), torch.stack([start, end]))


def test_slerp_keeps_the_norm_and_turns_evenly() -> None:
    start, end = two()
    end = end * start.norm() / end.norm()
    arc = slerp(start, end, torch.linspace(0, 1, 9))
    torch.testing.assert_close(arc.norm(dim=1), start.norm().expand(9))
    steps = torch.cosine_similarity(arc[1:], arc[:-1])
    torch.testing.assert_close(steps, steps[0].expand(8))
    assert lerp(start, end, torch.tensor([0.5])).norm() < 0.9 * start.norm()


def test_slerp_quarter_turn() -> None:
    middle = slerp(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), torch.tensor([0.5]))
    torch.testing.assert_close(middle, torch.full((1, 2), math.sqrt(0.5)))


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ([0.0, 0.0], [0.0, 0.0]),
        ([0.0, 0.0], [3.0, 4.0]),
        ([3.0, 4.0], [0.0, 0.0]),
        ([3.0, 4.0], [3.0, 4.0]),
        ([3.0, 4.0], [6.0, 8.0]),
        ([3.0, 4.0], [-3.0, -4.0]),
        ([3.0, 4.0], [-6.0, -8.0]),
        ([1e-30, 0.0], [0.0, 1e-30]),
        ([1e6, 1e6], [1e6, -1e6]),
        ([1.0, 0.0], [1.0, 1e-4]),
        ([1.0, 0.0], [-1.0, 1e-2]),
    ],
    ids=str,
)
def test_slerp_is_finite_and_includes_both_ends(start: list[float], end: list[float]) -> None:
    a, b = torch.tensor(start), torch.tensor(end)
    arc = slerp(a, b, torch.linspace(0, 1, 5))
    assert arc.isfinite().all()
    torch.testing.assert_close(arc[[0, -1]], torch.stack([a, b]))
    assert arc.norm(dim=1).max() <= 1.01 * max(a.norm(), b.norm())


@each_method
@pytest.mark.parametrize("steps", [2, 3, 64])
def test_path_holds_both_ends_bit_for_bit(method: Method, steps: int) -> None:
    for seed in range(20):
        start, end = seeded_noise([seed, seed + 100], 128)
        found = path(start, end, steps, method)
        assert found.shape == (steps, 128)
        assert torch.equal(found[0], start)
        assert torch.equal(found[-1], end)


def test_path_uses_its_method() -> None:
    start, end = two()
    weights = torch.linspace(0, 1, 5)
    torch.testing.assert_close(path(start, end, 5, "lerp"), lerp(start, end, weights))
    torch.testing.assert_close(path(start, end, 5), slerp(start, end, weights))


@each_method
def test_a_path_goes_through_its_points_in_equal_parts(method: Method) -> None:
    points = list(seeded_noise([1, 2, 3], 16))
    found = path_through(points, 9, method)
    for i, point in zip((0, 4, 8), points, strict=True):
        assert torch.equal(found[i], point)
    torch.testing.assert_close(found[:5], path(points[0], points[1], 5, method))
    torch.testing.assert_close(found[4:], path(points[1], points[2], 5, method))


@pytest.mark.parametrize(
    ("easing", "middle"),
    [
        ("linear", [0.25, 0.5, 0.75]),
        ("ease-in", [0.0625, 0.25, 0.5625]),
        ("ease-out", [0.4375, 0.75, 0.9375]),
        ("ease-in-out", [0.15625, 0.5, 0.84375]),
    ],
)
def test_easing(easing: Easing, middle: list[float]) -> None:
    assert eased(torch.linspace(0, 1, 5), easing).tolist() == [0.0, *middle, 1.0]
    start, end = torch.zeros(1), torch.ones(1)
    assert path_through([start, end], 5, "lerp", easing).flatten().tolist() == [0.0, *middle, 1.0]


@each_method
def test_path_leaves_its_ends_alone(method: Method) -> None:
    start, end = two()
    copies = start.clone(), end.clone()
    path(start, end, 4, method).zero_()
    assert torch.equal(start, copies[0])
    assert torch.equal(end, copies[1])


@pytest.mark.parametrize("weights", [[1.0, -1.0, 0.5], [1, -1, 2]], ids=["floats", "integers"])
def test_weighted_sum(weights: list[float]) -> None:
    latents = list(seeded_noise([1, 2, 3], 8))
    expected = weights[0] * latents[0] + weights[1] * latents[1] + weights[2] * latents[2]
    torch.testing.assert_close(weighted_sum(list(zip(weights, latents, strict=True)), 8), expected)
    assert weighted_sum([], 3).equal(torch.zeros(3))
