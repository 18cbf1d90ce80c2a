from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import pytest
import torch
from torch import Tensor

from vae.checkpoint import Checkpoint, load
from vae.directions import (
    Direction,
    apply_directions,
    fit_within_label_subspace,
    group_direction,
    regressed_directions,
)

MODELS = Path(__file__).parents[2] / "models"


def with_and_without_frames(count: int) -> tuple[Tensor, Tensor]:
    """Latents with glasses and without them.

    Axis 0 varies in both, axis 1 is the mean step of 3, axis 2 the frame: 1 or -1.
    """
    noise = torch.randn(2 * count, 3, generator=torch.Generator().manual_seed(0))
    frame = torch.where(torch.arange(count) % 2 == 0, 1.0, -1.0)
    positives = noise[:count] * torch.tensor([2.0, 0.05, 0.05])
    positives[:, 1] += 3.0
    positives[:, 2] += frame
    return positives, noise[count:] * torch.tensor([2.0, 0.05, 0.05])


def fitted(positives: Tensor, negatives: Tensor) -> Direction:
    step = positives.mean(0) - negatives.mean(0)
    subspace = fit_within_label_subspace(positives, negatives)
    return Direction(step, "glasses", "test", len(positives), subspace)


def test_a_removal_includes_the_frame_and_changes_nothing_else() -> None:
    positives, negatives = with_and_without_frames(2000)
    direction = fitted(positives, negatives)
    assert direction.within_label is not None
    assert len(direction.within_label.rows) == 1
    removed = apply_directions(positives, [(-1.0, direction)])
    assert removed[:, 1:].abs().mean() < 0.15  # neither step nor frame is left
    mean_step_only = positives - direction.vector
    assert mean_step_only[:, 2].abs().mean() > 0.9
    expected = positives[:, 0] - direction.vector[0]
    torch.testing.assert_close(removed[:, 0], expected, atol=0.1, rtol=0)


def test_a_latent_is_edited_alone_as_in_a_batch() -> None:
    positives, negatives = with_and_without_frames(200)
    terms = [(-0.7, fitted(positives, negatives)), (0.5, fitted(negatives, positives))]
    together = apply_directions(positives[:3], terms)
    for z, expected in zip(positives, together, strict=False):
        torch.testing.assert_close(apply_directions(z, terms), expected)


def test_a_frame_is_removed_in_proportion_and_at_most_once() -> None:
    positives, negatives = with_and_without_frames(2000)
    direction = fitted(positives, negatives)
    frame = [
        apply_directions(positives[0], [(-w, direction)])[2].item() for w in (0.0, 0.5, 1.0, 1.5)
    ]
    assert frame[0] > 0.8
    assert frame[1] == pytest.approx(frame[0] / 2, abs=0.1)
    assert abs(frame[2]) < 0.15
    assert frame[3] == pytest.approx(frame[2], abs=0.1)


def test_an_addition_is_the_mean_step_alone() -> None:
    positives, negatives = with_and_without_frames(200)
    direction = fitted(positives, negatives)
    assert apply_directions(negatives, [(1.5, direction)]).equal(negatives + 1.5 * direction.vector)


def test_a_label_whose_images_vary_like_the_others_has_no_subspace() -> None:
    _, negatives = with_and_without_frames(2000)
    assert fit_within_label_subspace(negatives[:1000] + 3.0, negatives[1000:]) is None


def test_collapsed_dimensions_give_finite_edits() -> None:
    positives, negatives = with_and_without_frames(200)
    positives[:, 0] = negatives[:, 0] = 0.0
    direction = fitted(positives, negatives)
    assert apply_directions(positives, [(-1.0, direction)]).isfinite().all()


# --- the direction of an exemplar -----------------------------------------------------------------


def test_an_exemplar_gives_its_own_frame_and_nothing_else() -> None:
    positives, negatives = with_and_without_frames(2000)
    direction = fitted(positives, negatives)
    for exemplar in positives[:4]:  # with both frames
        carried = apply_directions(negatives, [(1.0, direction.of(exemplar))])
        assert (carried - negatives)[:, 2].allclose(exemplar[2], atol=0.2)
        expected = negatives[:, :2] + direction.vector[:2]
        torch.testing.assert_close(carried[:, :2], expected, atol=0.1, rtol=0)


@pytest.mark.parametrize("weight", [-0.4, -1.0, -2.5])
def test_a_removal_is_that_of_the_latents_own_direction(weight: float) -> None:
    positives, negatives = with_and_without_frames(200)
    direction = fitted(positives, negatives)
    own = direction.of(positives)
    expected = apply_directions(positives, [(weight, direction)])
    torch.testing.assert_close(apply_directions(positives, [(weight, own)]), expected)


def test_exemplars_cancel_and_replace() -> None:
    positives, negatives = with_and_without_frames(200)
    direction = fitted(positives, negatives)
    me, other = positives[0], positives[1]
    own, worn = direction.of(me), direction.of(other)
    assert torch.equal(apply_directions(me, [(1.0, worn), (0.5, worn), (-1.5, worn)]), me)
    replaced = apply_directions(me, [(-1.0, direction), (1.0, worn)])
    torch.testing.assert_close(replaced, me - own.residual + worn.residual)
    torch.testing.assert_close(apply_directions(me, [(1.0, worn), (-1.0, own)]), replaced)


def test_the_weight_of_an_exemplar_scales_step_and_residual() -> None:
    positives, negatives = with_and_without_frames(200)
    worn = fitted(positives, negatives).of(positives[0])
    edited = apply_directions(negatives, [(1.5, worn)])
    torch.testing.assert_close(edited, negatives + 1.5 * (worn.vector + worn.residual))


def test_a_direction_without_a_subspace_has_no_exemplars() -> None:
    with pytest.raises(ValueError, match="no within-label subspace"):
        Direction(torch.ones(3), "glasses", "test", 4).of(torch.zeros(3))


# --- directions add up ----------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["avatars", "faces"])
def checkpoint(request: pytest.FixtureRequest) -> Checkpoint:
    return load(MODELS / request.param / "model.safetensors")


def terms_of(checkpoint: Checkpoint, *terms: tuple[float, str]) -> list[tuple[float, Direction]]:
    return [(weight, checkpoint.directions[name]) for weight, name in terms]


def test_what_is_removed_and_added_again_leaves_the_latent_as_it_was(
    checkpoint: Checkpoint,
) -> None:
    z = checkpoint.sample(range(5))
    for weights in ([-1.0, 1.0], [1.0, -1.0], [0.5, -2.0, 1.5], [0.0], []):
        terms = terms_of(checkpoint, *[(weight, "glasses") for weight in weights])
        assert torch.equal(apply_directions(z, terms), z)
        assert torch.equal(apply_directions(z[0], terms), z[0])


@pytest.mark.parametrize(
    "parts", [[-0.5, -0.5], [-0.25, -0.75], [0.5, -1.5], [-2.0, 1.0], [-1.0, 0.0]], ids=str
)
def test_a_split_weight_edits_as_its_sum(checkpoint: Checkpoint, parts: Sequence[float]) -> None:
    z = checkpoint.sample(range(5))
    whole = apply_directions(z, terms_of(checkpoint, (-1.0, "glasses")))
    assert torch.equal(
        apply_directions(z, terms_of(checkpoint, *[(weight, "glasses") for weight in parts])), whole
    )


def test_directions_commute(checkpoint: Checkpoint) -> None:
    z = checkpoint.sample(range(5))
    names = list(checkpoint.directions)
    terms = terms_of(
        checkpoint, (-1.0, "glasses"), (0.5, names[1]), (-0.7, names[1]), (1.2, names[2])
    )
    expected = apply_directions(z, terms)
    for order in permutations(terms):
        torch.testing.assert_close(apply_directions(z, order), expected, atol=1e-5, rtol=1e-5)


def test_a_removal_leaves_what_the_same_sum_adds() -> None:
    avatars = load(MODELS / "avatars" / "model.safetensors")
    z = avatars.sample(range(5))
    navy = avatars.directions["frame_color_navy"].vector
    removed = apply_directions(z, terms_of(avatars, (-1.0, "glasses")))
    for terms, before in (
        ([(-1.0, "glasses"), (1.0, "glasses"), (1.0, "frame_color_navy")], z),
        ([(1.0, "frame_color_navy"), (-1.0, "glasses")], removed),
    ):
        edited = apply_directions(z, terms_of(avatars, *terms))
        torch.testing.assert_close(edited - before, navy.expand_as(z), atol=1e-5, rtol=1e-5)


def test_two_removals_are_each_computed_from_the_incoming_latent() -> None:
    positives, negatives = with_and_without_frames(500)
    one, other = fitted(positives, negatives), fitted(positives.flip(1), negatives.flip(1))
    z = positives[0]
    both = apply_directions(z, [(-1.0, one), (-0.5, other)])
    apart = [apply_directions(z, [(-1.0, one)]) - z, apply_directions(z, [(-0.5, other)]) - z]
    torch.testing.assert_close(both - z, apart[0] + apart[1])


# --- how directions are fitted --------------------------------------------------------------------


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


def test_group_means_include_the_effect_of_a_correlated_label() -> None:
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
