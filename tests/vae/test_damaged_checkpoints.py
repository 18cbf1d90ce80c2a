"""A damaged checkpoint is refused with the part that is damaged."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.vae.checkpoints import WEIGHT, assert_refused, contents
from vae.checkpoint import CheckpointError, load

each_tensor = pytest.mark.parametrize(
    "name", [WEIGHT, "latent.mean", "latent.covariance", "direction.glasses"]
)


@each_tensor
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda t: t.new_zeros(2, 2), "is (2, 2), its config says ("),
        (lambda t: t[..., None], "its config says ("),
        (lambda t: t.mul(torch.nan), "holds NaN or infinity"),
        (lambda t: t.add(torch.inf), "holds NaN or infinity"),
        (lambda t: t.double().add(1e300), "holds NaN or infinity"),
        (lambda t: t.int(), "is torch.int32, its config says torch.float32"),
    ],
    ids=["shape", "rank", "nan", "infinity", "overflow", "integers"],
)
def test_damaged_tensor_is_named(
    file: Path, name: str, damage: Callable[[Tensor], Tensor], message: str
) -> None:
    tensors, fields = contents(file)
    tensors[name] = damage(tensors[name])
    save_file(tensors, file, {"lorgnette": json.dumps(fields)})
    assert_refused(file, f"{name} {message}" if message[0] == "h" else name, message)


@each_tensor
def test_missing_tensor_is_named(file: Path, name: str) -> None:
    tensors, fields = contents(file)
    del tensors[name]
    save_file(tensors, file, {"lorgnette": json.dumps(fields)})
    assert_refused(file, f"{name} is missing")


def test_one_nan_among_the_weights_is_enough(file: Path) -> None:
    tensors, fields = contents(file)
    tensors[WEIGHT].view(-1)[-1] = torch.nan
    save_file(tensors, file, {"lorgnette": json.dumps(fields)})
    assert_refused(file, f"{WEIGHT} holds NaN or infinity")


def test_surplus_weights_are_named(file: Path) -> None:
    tensors, fields = contents(file)
    tensors["model.decoder.9.weight"] = torch.ones(2)
    save_file(tensors, file, {"lorgnette": json.dumps(fields)})
    assert_refused(file, "weights that its config does not have: decoder.9.weight")


def test_weights_of_another_config(file: Path) -> None:
    tensors, fields = contents(file)
    fields["config"]["hidden"] = 6
    save_file(tensors, file, {"lorgnette": json.dumps(fields)})
    assert_refused(file, "model.encoder.1.weight is (5, 16), its config says (6, 16)")


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "[]", "{}", '"text"', "[" * 100_000],
    ids=["empty", "cut off", "null", "list", "object", "text", "deep"],
)
def test_metadata_that_is_not_an_object_with_fields(file: Path, text: str) -> None:
    save_file(contents(file)[0], file, {"lorgnette": text})
    assert_refused(file, "its metadata is damaged")


@pytest.mark.parametrize(
    "field",
    ["format", "config", "directions", "sigma", "labels", "metrics", "provenance"],
)
def test_metadata_without_a_field_names_it(file: Path, field: str) -> None:
    tensors, fields = contents(file)
    del fields[field]
    save_file(tensors, file, {"lorgnette": json.dumps(fields)})
    assert_refused(file, "its metadata is damaged", field)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "1"}, ""),
        ({"config": None}, ""),
        ({"config": {"family": "gan"}}, "family is 'gan'"),
        ({"config": {"size": 33}}, "size is 33"),
        ({"config": {"depth": 3}}, "unknown fields ['depth']"),
        ({"config": {"widths": 3}}, ""),
        ({"config": {"latent_dim": 10**18}}, ""),
        ({"directions": ["glasses"]}, ""),
        ({"directions": {"glasses": {"meaning": "no count", "method": ""}}}, "count"),
        ({"directions": {"glasses": None}}, ""),
    ],
    ids=str,
)
def test_metadata_of_the_wrong_type(file: Path, changes: dict[str, Any], message: str) -> None:
    tensors, fields = contents(file)
    save_file(tensors, file, {"lorgnette": json.dumps(fields | changes)})
    assert_refused(file, "its metadata is damaged", message)


def test_a_flipped_byte_in_the_header_is_refused_or_harmless(file: Path) -> None:
    """Whatever happens to a file, ``load`` returns a checkpoint or raises its own error."""
    content = file.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    rng = random.Random(0)
    refused = 0
    for _ in range(200):
        damaged = bytearray(content)
        damaged[rng.randrange(end)] = rng.randrange(256)
        file.write_bytes(damaged)
        try:
            load(file)
        except CheckpointError as error:
            assert str(error).startswith(f"{file}: ")  # noqa: PT017
            refused += 1
    assert refused > 100
