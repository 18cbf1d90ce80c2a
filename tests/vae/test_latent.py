import math

import pytest
import torch
from torch import Tensor

from vae.latent import (
    Direction,
    LatentStatistics,
    Method,
    apply_directions,
    fit_within_label_subspace,
    group_direction,
    lerp,
    path,
    regressed_directions,
    seeded_noise,
    slerp,
    weighted_sum,
)

ENDS = torch.tensor([0.0, 1.0])
each_method = pytest.mark.parametrize("method", ["slerp", "lerp"])


def two(dim: int = 16) -> tuple[Tensor, Tensor]:
    start, end = seeded_noise([1, 2], dim)
    return start, end


def test_a_row_of_noise_depends_on_its_own_seed_alone() -> None:
    together = seeded_noise([7, 2**53 - 1, 7, 0], 19)
    assert together.shape == (4, 19)
    for row, seed in zip(together, [7, 2**53 - 1, 7, 0], strict=True):
        assert torch.equal(seeded_noise([seed], 19)[0], row)
    assert not torch.equal(together[0], together[3])


def test_noise_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    seeded_noise([1], 3)
    assert torch.equal(torch.get_rng_state(), before)


def test_noise_is_standard_normal_across_consecutive_seeds() -> None:
    noise = seeded_noise(range(4000), 3)
    assert noise.mean(0).abs().max() < 4.0 / math.sqrt(4000)
    assert (torch.cov(noise.T) - torch.eye(3)).abs().max() < 6.0 / math.sqrt(4000)


def test_lerp_is_the_straight_line() -> None:
    start, end = two()
    line = lerp(start, end, torch.tensor([0.0, 0.25, 1.0]))
    assert torch.equal(line[0], start)
    assert torch.equal(line[2], end)
    torch.testing.assert_close(line[1], start + 0.25 * (end - start))


def test_slerp_starts_and_ends_where_it_should() -> None:
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
def test_slerp_is_finite_and_meets_its_ends(start: list[float], end: list[float]) -> None:
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


def test_path_goes_the_way_it_was_told() -> None:
    start, end = two()
    weights = torch.linspace(0, 1, 5)
    torch.testing.assert_close(path(start, end, 5, "lerp"), lerp(start, end, weights))
    torch.testing.assert_close(path(start, end, 5), slerp(start, end, weights))


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


def framed(count: int) -> tuple[Tensor, Tensor]:
    """Latents with glasses and without: an axis that all vary in, a step, and frames of two kinds.

    Axis 0 is whatever else a face has, axis 1 the mean step of 3, axis 2 the frame: 1 or -1.
    """
    noise = torch.randn(2 * count, 3, generator=torch.Generator().manual_seed(0))
    frame = torch.where(torch.arange(count) % 2 == 0, 1.0, -1.0)
    positives = noise[:count] * torch.tensor([2.0, 0.05, 0.05])
    positives[:, 1] += 3.0
    positives[:, 2] += frame
    return positives, noise[count:] * torch.tensor([2.0, 0.05, 0.05])


def glasses(positives: Tensor, without: Tensor) -> Direction:
    step = positives.mean(0) - without.mean(0)
    return Direction(
        step, "glasses", "made", len(positives), fit_within_label_subspace(positives, without)
    )


def test_taking_off_takes_the_kind_along_and_leaves_the_rest() -> None:
    positives, without = framed(2000)
    direction = glasses(positives, without)
    assert direction.within_label is not None
    assert len(direction.within_label.rows) == 1
    off = apply_directions(positives, [(-1.0, direction)])
    assert off[:, 1:].abs().mean() < 0.15  # neither step nor frame is left
    assert (positives - direction.vector)[
        :, 2
    ].abs().mean() > 0.9  # as one step for all would leave
    torch.testing.assert_close(off[:, 0], positives[:, 0] - direction.vector[0], atol=0.1, rtol=0)


def test_one_latent_is_edited_as_among_others() -> None:
    positives, without = framed(200)
    terms = [(-0.7, glasses(positives, without)), (0.5, glasses(without, positives))]
    together = apply_directions(positives[:3], terms)
    for z, expected in zip(positives, together, strict=False):
        torch.testing.assert_close(apply_directions(z, terms), expected)


def test_a_kind_goes_in_proportion_and_at_most_once() -> None:
    positives, without = framed(2000)
    direction = glasses(positives, without)
    frame = [
        apply_directions(positives[0], [(-w, direction)])[2].item() for w in (0.0, 0.5, 1.0, 1.5)
    ]
    assert frame[0] > 0.8
    assert frame[1] == pytest.approx(frame[0] / 2, abs=0.1)
    assert abs(frame[2]) < 0.15
    assert frame[3] == pytest.approx(frame[2], abs=0.1)


def test_adding_is_the_mean_step_alone() -> None:
    positives, without = framed(200)
    direction = glasses(positives, without)
    assert apply_directions(without, [(1.5, direction)]).equal(without + 1.5 * direction.vector)


def test_a_label_whose_pictures_vary_like_the_others_has_no_kinds() -> None:
    _, without = framed(2000)
    assert fit_within_label_subspace(without[:1000] + 3.0, without[1000:]) is None


def test_codes_that_have_collapsed_do_no_harm() -> None:
    positives, without = framed(200)
    positives[:, 0] = without[:, 0] = 0.0
    direction = glasses(positives, without)
    assert apply_directions(positives, [(-1.0, direction)]).isfinite().all()


def some_statistics() -> LatentStatistics:
    root = torch.tensor([[2.0, 0.0, 0.0], [-1.0, 0.5, 0.0], [0.3, 0.2, 0.01]])
    return LatentStatistics(torch.tensor([1.0, -2.0, 10.0]), root @ root.T)


def test_draws_have_the_mean_and_the_covariance() -> None:
    statistics, n = some_statistics(), 50_000
    noise = torch.randn(n, 3, generator=torch.Generator().manual_seed(0))
    draws = statistics.sample(noise)
    scale = statistics.covariance.diagonal().sqrt()
    assert ((draws.mean(0) - statistics.mean).abs() < 4.0 * scale / math.sqrt(n)).all()
    error = (torch.cov(draws.T) - statistics.covariance).abs()
    assert (error < 6.0 * scale[:, None] * scale / math.sqrt(n)).all()


def test_temperature_scales_the_way_from_the_mean() -> None:
    statistics, noise = some_statistics(), seeded_noise([1, 2], 3)
    assert torch.equal(statistics.sample(noise, 0.0), statistics.mean.expand(2, 3))
    torch.testing.assert_close(
        statistics.sample(noise, 0.5) - statistics.mean,
        0.5 * (statistics.sample(noise) - statistics.mean),
    )


@pytest.mark.parametrize("dim", [1, 32, 128])
@pytest.mark.parametrize("pictures", [2, 3, 20])
def test_statistics_of_fewer_pictures_than_dimensions_can_be_drawn_from(
    dim: int, pictures: int
) -> None:
    for seed in range(3):
        means = torch.randn(pictures, dim, generator=torch.Generator().manual_seed(seed))
        covariance = torch.cov(means.T).reshape(dim, dim)
        statistics = LatentStatistics(means.mean(0), covariance)
        torch.testing.assert_close(
            statistics.factor @ statistics.factor.T, covariance, atol=1e-4, rtol=1e-4
        )
        draws = statistics.sample(seeded_noise(range(4), dim))
        spread = draws - means.mean(0)
        basis = torch.linalg.svd(means - means.mean(0), full_matrices=False).Vh[: pictures - 1]
        assert (spread - spread @ basis.T @ basis).norm() < 0.01 * spread.norm()


def test_no_variance_at_all_gives_the_mean() -> None:
    statistics = LatentStatistics(torch.arange(4.0), torch.zeros(4, 4))
    torch.testing.assert_close(statistics.sample(seeded_noise([1], 4))[0], torch.arange(4.0))


def labelled_means() -> tuple[Tensor, Tensor, Tensor]:
    """Means with an effect a label, and two labels that agree in 80% of the rows."""
    generator = torch.Generator().manual_seed(0)
    n = 4000
    glasses = torch.rand(n, generator=generator) < 0.3
    male = glasses ^ (torch.rand(n, generator=generator) < 0.2)
    labels = torch.stack([glasses, male], dim=1).float()
    effects = torch.tensor([[2.0, 0.0, 0.0, -1.0], [0.0, 3.0, 0.0, 0.5]])
    noise = 0.5 * torch.randn(n, 4, generator=generator)
    return 7.0 + labels @ effects + noise, labels, effects


def test_regression_separates_correlated_labels() -> None:
    means, labels, effects = labelled_means()
    found = regressed_directions(means, labels)
    torch.testing.assert_close(found, effects, atol=0.1, rtol=0)
    assert found.dtype == torch.float32


def test_group_means_carry_the_other_label_along() -> None:
    means, labels, effects = labelled_means()
    male = labels[:, 1] > 0.5
    glasses = labels[:, 0] > 0.5
    shift = male[glasses].float().mean() - male[~glasses].float().mean()
    found = group_direction(means, labels[:, 0])
    torch.testing.assert_close(found, effects[0] + shift * effects[1], atol=0.1, rtol=0)
    assert found[1] > 1.0


def test_both_directions_agree_on_a_single_label() -> None:
    means, labels, _ = labelled_means()
    torch.testing.assert_close(
        regressed_directions(means, labels[:, :1])[0], group_direction(means, labels[:, 0])
    )


def test_regression_of_classes_that_sum_to_one_is_finite() -> None:
    means, labels, _ = labelled_means()
    classes = torch.stack([labels[:, 0], 1.0 - labels[:, 0]], dim=1)
    found = regressed_directions(means, classes)
    torch.testing.assert_close(found[0] - found[1], group_direction(means, labels[:, 0]))
