import math

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.training.sources import dataset, levels, noise
from training.analysis.statistics import (
    MIN_TAGGED,
    directions,
    encoded_means,
    residual_scale,
    statistics,
)
from training.data.sources import Dataset
from vae.directions import group_direction
from vae.model import VAE, VAEConfig

N = 600
GLASSES, MALE = torch.tensor([2.0, 0.0, -1.0]), torch.tensor([0.0, 3.0, 0.5])


def labelled() -> tuple[Tensor, dict[str, list[float]]]:
    """Codes that are the sum of each label's effect; the labels agree in 80% of the rows."""
    rng = np.random.default_rng(0)
    glasses = rng.random(N) < 0.4
    male = glasses ^ (rng.random(N) < 0.2)
    labels = {"glasses": glasses.astype(float).tolist(), "male": male.astype(float).tolist()}
    codes = torch.tensor(labels["glasses"])[:, None] * GLASSES
    return 5.0 + codes + torch.tensor(labels["male"])[:, None] * MALE, labels


def described(labels: dict[str, list[float]], exclusive: bool = False) -> Dataset:
    """A data set of these labels; its pictures do not matter."""
    count = len(next(iter(labels.values())))
    return dataset(levels([0] * count, size=1), labels, exclusive=exclusive)


def small() -> VAE:
    torch.manual_seed(0)
    return VAE(VAEConfig("residual", 3, 32, latent_dim=4, widths=(8, 16))).eval()


def test_directions_of_labels_are_free_of_each_other() -> None:
    means, labels = labelled()
    found = directions(means, described(labels))
    torch.testing.assert_close(found["glasses"].vector, GLASSES, atol=1e-4, rtol=0)
    torch.testing.assert_close(found["male"].vector, MALE, atol=1e-4, rtol=0)
    assert found["glasses"].count == N
    assert found["glasses"].method == "regression on glasses, male"


def test_directions_of_classes_are_differences_of_means() -> None:
    means, labels = labelled()
    glasses = labels["glasses"]
    classes = {"with": glasses, "without": [1 - value for value in glasses]}
    found = directions(means, described(classes, exclusive=True))
    expected = group_direction(means, torch.tensor(glasses))
    torch.testing.assert_close(found["with"].vector, expected)
    torch.testing.assert_close(found["without"].vector, -expected)
    assert expected[1] > 1  # it carries the other label along


def test_rows_with_an_unknown_label_are_left_out() -> None:
    means, labels = labelled()
    means[:50] = 1e6
    labels["glasses"][:50] = [math.nan] * 50
    found = directions(means, described(labels))
    torch.testing.assert_close(found["glasses"].vector, GLASSES, atol=1e-4, rtol=0)
    assert found["male"].count == N - 50


@pytest.mark.parametrize("value", [0.0, 1.0, math.nan])
def test_a_label_that_tells_nothing_gives_no_direction(value: float) -> None:
    means, labels = labelled()
    found = directions(means, described({**labels, "hat": [value] * N}))
    assert found.keys() == {"glasses", "male"}
    torch.testing.assert_close(found["glasses"].vector, GLASSES, atol=1e-4, rtol=0)


def test_labels_that_are_never_known_together_give_no_directions() -> None:
    unknown = [math.nan] * 4
    labels = {"glasses": [0.0, 1.0, 0.0, 1.0, *unknown], "male": [*unknown, 0.0, 1.0, 0.0, 1.0]}
    assert directions(torch.randn(8, 3), described(labels)) == {}


def test_no_labels_give_no_directions() -> None:
    assert directions(torch.zeros(4, 3), dataset(noise(4))) == {}


def test_a_number_is_counted_in_standard_deviations() -> None:
    ages = torch.linspace(20, 60, N)
    means = ages[:, None] * torch.tensor([0.1, 0.0])
    found = directions(means, described({"age": ages.tolist()}))["age"]
    torch.testing.assert_close(
        found.vector, torch.tensor([0.1 * float(ages.std()), 0.0]), atol=1e-4, rtol=0
    )
    assert found.meaning == f"age: up by {float(ages.std()):.3g}, one standard deviation"


def test_a_word_of_a_tag_adds_to_what_the_labels_leave() -> None:
    """A red frame moves a code by glasses and by the colour; the two directions say which is."""
    colors = ["", "", "red", "blue"] * 50
    glasses = [float(bool(color)) for color in colors]
    red = torch.tensor([float(color == "red") for color in colors])
    codes = torch.tensor(glasses)[:, None] * GLASSES + red[:, None] * MALE
    tags = {"color": colors, "identity": [str(i) for i in range(200)]}
    found = directions(codes, dataset(levels([0] * 200, size=1), {"glasses": glasses}, tags))
    assert found.keys() == {"glasses", "color_red", "color_blue"}
    whole = found["glasses"].vector + found["color_red"].vector
    torch.testing.assert_close(whole, GLASSES + MALE, atol=1e-4, rtol=0)
    between = found["color_red"].vector - found["color_blue"].vector
    torch.testing.assert_close(between, MALE, atol=1e-4, rtol=0)


def test_a_rare_word_gives_no_direction() -> None:
    colors = ["red"] * (MIN_TAGGED - 1) + ["blue"] * 60 + [""] * 60
    glasses = [float(bool(color)) for color in colors]
    data = dataset(levels([0] * len(colors), size=1), {"glasses": glasses}, {"color": colors})
    assert directions(torch.randn(len(colors), 3), data).keys() == {"glasses", "color_blue"}


def test_encoded_means_are_means_and_no_samples() -> None:
    model, data = small(), dataset(noise(40))
    first = encoded_means(model, data)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    again = encoded_means(model, data)
    assert again.equal(first)
    assert torch.get_rng_state().equal(before)  # nothing was drawn
    with torch.no_grad():
        x = torch.from_numpy(noise(40)).permute(0, 3, 1, 2) / 255
        torch.testing.assert_close(first, model.encode(x).mean, atol=1e-5, rtol=1e-5)


def test_encoded_means_follow_the_rows_of_the_split() -> None:
    model, data = small(), dataset(noise(6))
    shuffled = Dataset(data.pictures, np.array([4, 1]), {}, {}, False, "made", "")
    torch.testing.assert_close(encoded_means(model, shuffled), encoded_means(model, data)[[4, 1]])


def test_the_residual_scale_is_the_root_mean_squared_error() -> None:
    model, data = small(), dataset(noise(40))
    with torch.no_grad():
        x = torch.from_numpy(noise(40)).permute(0, 3, 1, 2) / 255
        error = model.decode(model.encode(x).mean) - x
    assert residual_scale(model, data) == pytest.approx(float(error.square().mean().sqrt()))


def test_statistics_are_mean_and_covariance() -> None:
    means = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    found = statistics(means)
    torch.testing.assert_close(found.mean, means.mean(0))
    expected = torch.from_numpy(np.cov(means.numpy().T)).float()
    torch.testing.assert_close(found.covariance, expected)


@pytest.mark.parametrize(("count", "dim"), [(1, 1), (1, 4), (2, 1), (3, 4)])
def test_statistics_of_few_pictures_have_their_shape(count: int, dim: int) -> None:
    found = statistics(torch.randn(count, dim))
    assert found.mean.shape == (dim,)
    assert found.covariance.shape == (dim, dim)
    assert found.covariance.isfinite().all()
