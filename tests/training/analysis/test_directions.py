import math

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.training.sources import dataset, levels, noise
from training.analysis.directions import fit_directions
from training.analysis.tag_directions import MIN_TAGGED
from training.data.dataset import Dataset
from vae.directions import group_direction

N = 600
GLASSES, MALE = torch.tensor([2.0, 0.0, -1.0]), torch.tensor([0.0, 3.0, 0.5])


def labelled() -> tuple[Tensor, dict[str, list[float]]]:
    """Latents that are the sum of each label's effect; the labels agree in 80% of the rows."""
    rng = np.random.default_rng(0)
    glasses = rng.random(N) < 0.4
    male = glasses ^ (rng.random(N) < 0.2)
    labels = {"glasses": glasses.astype(float).tolist(), "male": male.astype(float).tolist()}
    latents = torch.tensor(labels["glasses"])[:, None] * GLASSES
    return 5.0 + latents + torch.tensor(labels["male"])[:, None] * MALE, labels


def data_set(labels: dict[str, list[float]], exclusive: bool = False) -> Dataset:
    """A data set of these labels; its images are not read."""
    count = len(next(iter(labels.values())))
    return dataset(levels([0] * count, size=1), labels, exclusive=exclusive)


def test_directions_of_labels_exclude_each_others_effects() -> None:
    means, labels = labelled()
    found = fit_directions(means, data_set(labels))
    torch.testing.assert_close(found["glasses"].vector, GLASSES, atol=1e-4, rtol=0)
    torch.testing.assert_close(found["male"].vector, MALE, atol=1e-4, rtol=0)
    assert found["glasses"].count == N
    assert found["glasses"].method == "regression on glasses, male"


def test_directions_of_classes_are_differences_of_means() -> None:
    means, labels = labelled()
    glasses = labels["glasses"]
    classes = {"with": glasses, "without": [1 - value for value in glasses]}
    found = fit_directions(means, data_set(classes, exclusive=True))
    expected = group_direction(means, torch.tensor(glasses))
    torch.testing.assert_close(found["with"].vector, expected)
    torch.testing.assert_close(found["without"].vector, -expected)
    assert expected[1] > 1  # with the effect of the other label


def test_rows_with_an_unknown_label_are_left_out() -> None:
    means, labels = labelled()
    means[:50] = 1e6
    labels["glasses"][:50] = [math.nan] * 50
    found = fit_directions(means, data_set(labels))
    torch.testing.assert_close(found["glasses"].vector, GLASSES, atol=1e-4, rtol=0)
    assert found["male"].count == N - 50


@pytest.mark.parametrize("value", [0.0, 1.0, math.nan])
def test_a_constant_label_gives_no_direction(value: float) -> None:
    means, labels = labelled()
    found = fit_directions(means, data_set({**labels, "hat": [value] * N}))
    assert found.keys() == {"glasses", "male"}
    torch.testing.assert_close(found["glasses"].vector, GLASSES, atol=1e-4, rtol=0)


def test_no_labels_give_no_directions() -> None:
    assert fit_directions(torch.zeros(4, 3), dataset(noise(4))) == {}


def test_a_number_is_measured_in_standard_deviations() -> None:
    ages = torch.linspace(20, 60, N)
    means = ages[:, None] * torch.tensor([0.1, 0.0])
    found = fit_directions(means, data_set({"age": ages.tolist()}))["age"]
    torch.testing.assert_close(
        found.vector, torch.tensor([0.1 * float(ages.std()), 0.0]), atol=1e-4, rtol=0
    )
    assert found.meaning == f"age: up by {float(ages.std()):.3g}, one standard deviation"


def test_a_word_of_a_tag_is_fitted_to_what_the_labels_leave() -> None:
    """A red frame moves a latent by glasses and by the colour, and each has its direction."""
    colors = ["", "", "red", "blue"] * 50
    glasses = [float(bool(color)) for color in colors]
    red = torch.tensor([float(color == "red") for color in colors])
    latents = torch.tensor(glasses)[:, None] * GLASSES + red[:, None] * MALE
    tags = {"color": colors, "identity": [str(i) for i in range(200)]}
    found = fit_directions(latents, dataset(levels([0] * 200, size=1), {"glasses": glasses}, tags))
    assert found.keys() == {"glasses", "color_red", "color_blue"}
    both = found["glasses"].vector + found["color_red"].vector
    torch.testing.assert_close(both, GLASSES + MALE, atol=1e-4, rtol=0)
    between = found["color_red"].vector - found["color_blue"].vector
    torch.testing.assert_close(between, MALE, atol=1e-4, rtol=0)


def test_a_rare_word_gives_no_direction() -> None:
    colors = ["red"] * (MIN_TAGGED - 1) + ["blue"] * 60 + [""] * 60
    glasses = [float(bool(color)) for color in colors]
    data = dataset(levels([0] * len(colors), size=1), {"glasses": glasses}, {"color": colors})
    assert fit_directions(torch.randn(len(colors), 3), data).keys() == {"glasses", "color_blue"}
