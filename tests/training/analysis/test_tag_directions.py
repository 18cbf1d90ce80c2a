import pytest
import torch
from torch import Tensor

from tests.training.analysis.gaussians import (
    COUNT,
    OFFSET,
    assert_same_direction,
    coin,
    latents,
    random,
    steps,
)
from tests.training.sources import dataset, levels
from training.analysis.directions import fit_directions
from vae.directions import Direction

Warnings = pytest.LogCaptureFixture
MOUTHS = ["sad", "smile", "serious"]


def fitted(means: Tensor, labels: dict[str, Tensor], **tags: list[str]) -> dict[str, Direction]:
    columns = {name: values.tolist() for name, values in labels.items()}
    return fit_directions(means, dataset(levels([0] * len(means), size=1), columns, tags))


def tag(words: list[str], generator: torch.Generator) -> tuple[list[str], list[Tensor], Tensor]:
    """A word a row, the first in half of them; its 0/1 columns; and the frequencies."""
    weights = torch.tensor([2.0] + [1.0] * (len(words) - 1))
    drawn = torch.multinomial(weights, COUNT, replacement=True, generator=generator)
    columns = [(drawn == k).float() for k in range(len(words))]
    return [words[k] for k in drawn], columns, torch.stack(columns).mean(1)


def test_a_word_goes_from_the_average_to_itself_without_a_share_of_the_mean() -> None:
    generator = random()
    mouth, columns, frequency = tag(MOUTHS, generator)
    brow, more, _ = tag(["flat", "raised"], generator)
    effects = steps(5, generator)
    means = latents([*columns, *more], effects, generator)
    found = fitted(means, {"hat": coin(0.5, generator)}, mouth=mouth, brow=brow)
    average = frequency @ effects[:3]
    for word, effect in zip(MOUTHS, effects, strict=False):
        assert_same_direction(found[f"mouth_{word}"].vector, effect - average)
    total = sum(frequency[k] * found[f"mouth_{word}"].vector for k, word in enumerate(MOUTHS))
    assert float(torch.as_tensor(total).norm()) < 1e-4 * OFFSET
    difference = found["brow_raised"].vector - found["brow_flat"].vector
    assert_same_direction(difference, effects[4] - effects[3])


def test_rows_without_a_word_count_in_the_average() -> None:
    generator = random()
    hat, columns, frequency = tag(["", "cap", "beret"], generator)
    effects = steps(3, generator)
    effects[0] = 0.0
    found = fitted(latents(columns, effects, generator), {}, hat=hat)
    assert found.keys() == {"hat_cap", "hat_beret"}
    assert_same_direction(found["hat_cap"].vector, effects[1] - frequency @ effects)


def test_a_word_is_without_the_effect_of_a_label_that_comes_with_it() -> None:
    generator = random()
    male = coin(0.5, generator)
    beard = male * coin(0.6, generator)
    effects = steps(2, generator)
    words = ["full" if value else "" for value in beard.tolist()]
    found = fitted(latents([male, beard], effects, generator), {"male": male}, beard=words)
    expected = (1 - float(beard.mean())) * effects[1]
    assert_same_direction(found["beard_full"].vector, expected)


def test_a_word_that_a_label_says_already_has_no_direction() -> None:
    generator = random()
    male = coin(0.5, generator)
    means = latents([male], steps(1, generator), generator)
    sex = ["man" if value else "woman" for value in male.tolist()]
    mouth, _, _ = tag(MOUTHS, generator)
    found = fitted(means, {"male": male}, sex=sex, mouth=mouth)
    assert found.keys() == {"male", *(f"mouth_{word}" for word in MOUTHS)}


def test_a_tag_that_repeats_another_does_not_take_half_of_its_step(caplog: Warnings) -> None:
    generator = random()
    mouth, columns, frequency = tag(MOUTHS, generator)
    effects = steps(3, generator)
    found = fitted(latents(columns, effects, generator), {}, mouth=mouth, lips=mouth)
    for name in ("mouth_sad", "lips_sad"):
        assert_same_direction(found[name].vector, effects[0] - frequency @ effects)
    assert found["lips_sad"].method.endswith("collinear with mouth")
    assert "tag lips: " in caplog.text


def test_a_word_that_every_row_has_gives_no_direction() -> None:
    generator = random()
    hat = coin(0.5, generator)
    means = latents([hat], steps(1, generator), generator)
    assert fitted(means, {"hat": hat}, kind=["face"] * COUNT).keys() == {"hat"}
