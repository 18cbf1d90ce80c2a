"""Fields of the wrong type in a checkpoint that is otherwise intact."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tests.vae.checkpoints import assert_refused, contents
from vae.checkpoint import load


def rewrite(file: Path, **changes: Any) -> None:
    tensors, fields = contents(file)
    save_file(tensors, file, {"lorgnette": json.dumps(fields | changes)})


@pytest.mark.parametrize(
    "sigma", ["0.1", 0, -1.0, True, [], {}, float("nan"), float("inf"), 10**400], ids=repr
)
def test_sigma_is_a_positive_number(file: Path, sigma: object) -> None:
    rewrite(file, sigma=sigma)
    assert_refused(file, "its metadata is damaged", "sigma is", "must be a positive number")


@pytest.mark.parametrize("sigma", [None, 1, 0.03])
def test_sigma_may_be_any_positive_number_or_null(file: Path, sigma: float | None) -> None:
    rewrite(file, sigma=sigma)
    assert load(file).sigma == sigma


@pytest.mark.parametrize("labels", ["glasses", None, 3, {"glasses": 1}, ["glasses", 1], [["a"]]])
def test_labels_are_names(file: Path, labels: object) -> None:
    rewrite(file, labels=labels)
    assert_refused(file, "its metadata is damaged", "labels is", "must be a list of names")


@pytest.mark.parametrize("field", ["metrics", "provenance", "directions"])
@pytest.mark.parametrize("value", [None, [], "text", 1])
def test_other_fields_are_objects(file: Path, field: str, value: object) -> None:
    rewrite(file, **{field: value})
    assert_refused(file, "its metadata is damaged", f"{field} is", "must be an object")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"meaning": 1}, "meaning of direction 'glasses' must be text"),
        ({"method": None}, "method of direction 'glasses' must be text"),
        ({"count": "12"}, "count of direction 'glasses' is '12'"),
        ({"count": True}, "count of direction 'glasses' is True"),
        ({"count": -1}, "count of direction 'glasses' is -1"),
        ({"vector": [1.0]}, "vector"),
        ({"run": "code"}, "run"),
    ],
    ids=repr,
)
def test_fields_of_a_direction(file: Path, changes: dict[str, Any], message: str) -> None:
    directions = contents(file)[1]["directions"]
    directions["glasses"] |= changes
    rewrite(file, directions=directions)
    assert_refused(file, "its metadata is damaged", message)


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("within_label.glasses", torch.tensor(1.0)),
        ("within_label.glasses", torch.ones(2)),
        ("within_label.glasses", torch.ones(2, 4)),
        ("within_label.glasses", torch.full((2, 3), torch.nan)),
        ("within_label.glasses", torch.ones(2, 3, dtype=torch.int32)),
        ("within_label_centre.glasses", torch.ones(3)),
        ("within_label_centre.glasses", torch.tensor([0.0, torch.inf])),
    ],
    ids=lambda value: value if isinstance(value, str) else str(tuple(value.shape)),
)
def test_a_within_label_subspace_has_the_latent_dimension(
    file: Path, name: str, tensor: torch.Tensor
) -> None:
    tensors, fields = contents(file)
    save_file(tensors | {name: tensor}, file, {"lorgnette": json.dumps(fields)})
    assert_refused(file)


def test_a_long_value_is_shortened_in_the_message(file: Path) -> None:
    rewrite(file, sigma="x" * 10**6)
    assert_refused(file, "sigma is 'xxx")
    rewrite(file, sigma=None, labels=list(range(10**5)))
    assert_refused(file, "labels is [0, 1, ")


POINTS = [[1.5, 2], [3, 2], [2, 3], [1, 4], [3, 4]]


@pytest.mark.parametrize(
    "template",
    [
        [],
        "text",
        3,
        POINTS[:4],
        [*POINTS, [9, 9]],
        [*POINTS[:4], [3]],
        [*POINTS[:4], [3, 4, 5]],
        [*POINTS[:4], [3, "4"]],
        [*POINTS[:4], [3, float("nan")]],
        [*POINTS[:4], POINTS[0]],
        5 * [None],
    ],
    ids=repr,
)
def test_a_template_is_five_different_points(file: Path, template: object) -> None:
    rewrite(file, alignment_template=template)
    assert_refused(file, "its metadata is damaged", "alignment_template is", "5 different points")


def test_a_template_may_be_there_null_or_missing(file: Path) -> None:
    rewrite(file, alignment_template=POINTS)
    assert load(file).alignment_template == ((1.5, 2), (3, 2), (2, 3), (1, 4), (3, 4))
    rewrite(file, alignment_template=None)
    assert load(file).alignment_template is None
    tensors, fields = contents(file)
    del fields["alignment_template"]  # as in a checkpoint of an earlier version
    save_file(tensors, file, {"lorgnette": json.dumps(fields)})
    assert load(file).alignment_template is None
