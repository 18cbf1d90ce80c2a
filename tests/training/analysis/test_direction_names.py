"""Names of directions are such that the expressions of the service can say them."""

import re

import pytest
import torch

from app.operations.expression import Term, parse
from tests.training.sources import dataset, levels
from training.analysis.direction_names import expression_names
from training.analysis.directions import fit_directions


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("glasses", "glasses"),
        ("No_Beard", "No_Beard"),
        ("my__hat", "my__hat"),
        ("Eye Glasses", "Eye_Glasses"),
        ("T-shirt/top", "T_shirt_top"),
        ("male ", "male"),
        ("5_o_Clock_Shadow", "label_5_o_Clock_Shadow"),
        ("0 - zero", "label_0_zero"),
        ("_hidden", "hidden"),
        ("béret", "beret"),
        ("眼鏡", "label"),
        ("", "label"),
        ("a" * 70, "a" * 64),
    ],
)
def test_every_column_has_a_name_that_expressions_can_say(column: str, name: str) -> None:
    assert expression_names([column]) == [name]
    assert parse(f"me - 2*{name}") == [Term(1.0, "me"), Term(-2.0, name)]


def test_names_that_collide_are_told_apart() -> None:
    columns = ["Eye Glasses", "Eye-Glasses", "Eye_Glasses", "眼鏡", "帽子", "Eye_Glasses"]
    expected = ["Eye_Glasses_2", "Eye_Glasses_3", "Eye_Glasses", "label", "label_2"]
    assert expression_names(columns) == [*expected, "Eye_Glasses_4"]
    long = expression_names(["a" * 64, "a" * 65])
    assert long == ["a" * 64, "a" * 62 + "_2"]


def test_the_meaning_of_a_direction_has_the_name_of_its_column() -> None:
    values = [float(i % 2) for i in range(60)]
    hair = [["light brown", "black", "light  brown"][i // 20] for i in range(60)]
    labels = {"Eye Glasses": values, "hair_black": [float(i % 3 == 0) for i in range(60)]}
    data = dataset(levels([0] * 60, size=1), labels, {"hair": hair})
    found = fit_directions(torch.randn(60, 3), data)
    words = ["hair_black_2", "hair_light_brown", "hair_light_brown_2"]
    assert list(found) == ["Eye_Glasses", "hair_black", *words]
    assert found["Eye_Glasses"].meaning == "Eye Glasses: from without to with"
    columns = [re.split(":", found[name].meaning)[0] for name in words]
    assert columns == ["hair_black", "hair_light  brown", "hair_light brown"]


def test_the_names_of_classes_can_be_said_too() -> None:
    ankle = [float(i % 2) for i in range(8)]
    labels = {"Ankle boot": ankle, "T-shirt/top": [1 - value for value in ankle]}
    data = dataset(levels([0] * 8, size=1), labels, exclusive=True)
    found = fit_directions(torch.randn(8, 3), data)
    assert list(found) == ["Ankle_boot", "T_shirt_top"]
    assert found["T_shirt_top"].meaning == "T-shirt/top: from the other classes to this one"
