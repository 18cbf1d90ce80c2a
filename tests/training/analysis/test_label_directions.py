import math

import pytest
import torch
from torch import Tensor

from tests.training.analysis.gaussians import (
    COUNT,
    DIM,
    assert_same_direction,
    coin,
    latents,
    random,
    steps,
)
from tests.training.sources import dataset, levels
from training.analysis.directions import fit_directions, indicators
from training.data.dataset import Dataset
from vae.directions import Direction

Warnings = pytest.LogCaptureFixture


def data_set(labels: dict[str, Tensor], exclusive: bool = False) -> Dataset:
    columns = {name: values.tolist() for name, values in labels.items()}
    count = len(next(iter(columns.values())))
    return dataset(levels([0] * count, size=1), columns, exclusive=exclusive)


def fitted(means: Tensor, **labels: Tensor) -> dict[str, Direction]:
    return fit_directions(means, data_set(labels))


def known_only(values: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """The values, known with this probability."""
    return values.where(coin(probability, generator, len(values)) == 1, math.nan)


def two_labels(generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Labels that agree in 80% of the rows, their effects, and latents."""
    glasses = coin(0.4, generator)
    male = (glasses != coin(0.2, generator)).float()
    effects = steps(2, generator)
    return glasses, male, effects, latents([glasses, male], effects, generator)


def test_the_offset_is_in_no_direction() -> None:
    glasses, male, effects, means = two_labels(random())
    found = fitted(means, glasses=glasses, male=male)
    assert_same_direction(found["glasses"].vector, effects[0])
    assert_same_direction(found["male"].vector, effects[1])


@pytest.mark.parametrize(("low", "high"), [(-1, 1), (1, 2), (0, 255), (20, 60)])
def test_two_values_of_any_coding_are_0_and_1(low: float, high: float) -> None:
    generator = random()
    glasses, male, effects, means = two_labels(generator)
    means[:, 0] += 2 * glasses * torch.randn(COUNT, generator=generator)  # frames
    coded = torch.where(glasses == 1, float(high), float(low))
    found = fitted(means, glasses=coded, male=male)
    expected = fitted(means, glasses=glasses, male=male)
    assert_same_direction(found["glasses"].vector, effects[0])
    torch.testing.assert_close(found["male"].vector, expected["male"].vector)
    assert found["glasses"].meaning == f"glasses: from {low} to {high}"
    assert expected["glasses"].meaning == "glasses: from without to with"
    assert found["glasses"].within_label is not None
    assert indicators(data_set({"glasses": coded}))["glasses"].tolist() == glasses.tolist()


def test_a_class_of_another_coding_is_measured_like_others() -> None:
    generator = random()
    glasses, effects = coin(0.4, generator), steps(1, generator)
    means = latents([glasses], effects, generator)
    classes = {"with": 2 * glasses - 1, "without": 1 - 2 * glasses}
    found = fit_directions(means, data_set(classes, exclusive=True))
    assert_same_direction(found["with"].vector, effects[0])
    assert_same_direction(found["without"].vector, -effects[0])


def test_the_complement_and_the_copy_of_a_label_have_its_whole_step(caplog: Warnings) -> None:
    glasses, male, effects, means = two_labels(random())
    found = fitted(means, glasses=glasses, bare=1 - glasses, eyewear=2 * glasses, male=male)
    assert_same_direction(found["glasses"].vector, effects[0])
    assert_same_direction(found["eyewear"].vector, effects[0])
    assert_same_direction(found["bare"].vector, -effects[0])
    assert_same_direction(found["male"].vector, effects[1])
    method = "regression on glasses, male; collinear with bare, eyewear"
    assert found["glasses"].method == method
    assert found["male"].method == "regression on glasses, bare, eyewear, male"
    assert "collinear, each is measured alone: bare, eyewear, glasses" in caplog.text


def test_a_complement_with_a_few_errors_counts_as_one() -> None:
    glasses, male, effects, means = two_labels(random())
    bare = 1 - glasses
    bare[:4] = glasses[:4]
    found = fitted(means, glasses=glasses, bare=bare, male=male)
    assert_same_direction(found["glasses"].vector, effects[0])
    assert_same_direction(found["bare"].vector, -effects[0])
    assert_same_direction(found["male"].vector, effects[1])


def test_a_one_hot_label_beside_others_goes_from_the_other_classes_to_one() -> None:
    generator = random()
    draw = torch.rand(COUNT, generator=generator)
    cat, dog = (draw < 0.5).float(), (draw > 0.8).float()
    bird = 1 - cat - dog
    young = ((draw * 7 % 1) < 0.3 + 0.4 * cat).float()  # more often among cats
    effects = steps(4, generator)
    means = latents([cat, bird, dog, young], effects, generator)
    found = fitted(means, cat=cat, bird=bird, dog=dog, young=young)
    assert_same_direction(found["cat"].vector, effects[0] - 0.6 * effects[1] - 0.4 * effects[2])
    assert_same_direction(found["young"].vector, effects[3])
    assert found["cat"].method == "regression on cat, young; collinear with bird, dog"


def test_a_label_known_of_too_few_rows_is_left_out_with_a_warning(caplog: Warnings) -> None:
    glasses, male, effects, means = two_labels(random())
    hat = torch.full((COUNT,), math.nan)
    hat[:19] = torch.arange(19) % 2
    found = fitted(means, glasses=glasses, hat=hat, male=male)
    assert found.keys() == {"glasses", "male"}
    assert {direction.count for direction in found.values()} == {COUNT}
    assert_same_direction(found["glasses"].vector, effects[0])
    assert (
        f"'hat' has no direction: it is known in 19 of {COUNT} images, and needs 20" in caplog.text
    )


@pytest.mark.parametrize(("dim", "known", "least"), [(3, 20, 20), (40, 40, 40)])
def test_how_many_known_values_a_label_needs(
    caplog: Warnings, dim: int, known: int, least: int
) -> None:
    means, label = torch.randn(200, dim, generator=random()), torch.arange(200.0) % 2
    label[known:] = math.nan
    assert fitted(means, hat=label).keys() == {"hat"}
    label[known - 1] = math.nan
    assert fitted(means, hat=label) == {}
    assert f"known in {known - 1} of 200 images, and needs {least}" in caplog.text


def test_in_a_small_data_set_half_of_the_images_are_enough(caplog: Warnings) -> None:
    means, label = torch.randn(12, 40, generator=random()), torch.arange(12.0) % 2
    label[6:] = math.nan
    assert fitted(means, hat=label).keys() == {"hat"}
    assert not caplog.text


def test_a_sparse_label_has_a_direction_and_leaves_the_others_their_rows() -> None:
    generator = random()
    glasses, male, hat = (coin(0.5, generator) for _ in range(3))
    effects = steps(3, generator)
    means = latents([glasses, male, hat], effects, generator)
    sparse = known_only(hat, 0.2, generator)
    found = fitted(means, glasses=glasses, male=male, hat=sparse)
    assert (found["glasses"].count, found["male"].count) == (COUNT, COUNT)
    assert found["hat"].count == int(sparse.isfinite().sum())
    assert found["hat"].method == "regression on glasses, male, hat"
    assert found["glasses"].method == "regression on glasses, male"
    for direction, effect in zip(found.values(), effects, strict=True):
        assert_same_direction(direction.vector, effect)


def test_labels_that_are_never_known_together_are_measured_apart() -> None:
    generator = random()
    glasses, male = coin(0.5, generator), coin(0.5, generator)
    effects = steps(2, generator)
    means = latents([glasses, male], effects, generator)
    first = torch.arange(COUNT) < COUNT // 2
    glasses, male = glasses.where(first, math.nan), male.where(~first, math.nan)
    found = fitted(means, glasses=glasses, male=male)
    for direction, effect in zip(found.values(), effects, strict=True):
        assert direction.count == COUNT // 2
        assert float(torch.cosine_similarity(direction.vector, effect, dim=0)) > 0.99


def test_a_rare_value_is_not_lost_with_rows_where_another_label_is_unknown() -> None:
    generator = random()
    hat, male = torch.zeros(COUNT), coin(0.5, generator)
    hat[:100] = 1.0
    effects = steps(2, generator)
    means = latents([hat, male], effects, generator)
    male[:90] = math.nan
    found = fitted(means, hat=hat, male=male)
    assert found["hat"].count == COUNT
    assert float(torch.cosine_similarity(found["hat"].vector, effects[0], dim=0)) > 0.98


def test_more_labels_than_rows_give_finite_directions() -> None:
    generator = random()
    labels = {f"label{i}": coin(0.5, generator, 24) for i in range(40)}
    found = fitted(torch.randn(24, DIM, generator=generator), **labels)
    assert found.keys() == labels.keys()
    assert all(d.vector.isfinite().all() and d.vector.norm() > 0 for d in found.values())
