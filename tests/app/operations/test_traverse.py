"""Traversals along directions and principal axes, through HTTP."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from httpx import Client

from tests.app.conftest import (
    DIM,
    SIZE,
    decoded,
    file,
    images,
    latents,
    means,
    ok,
    pixels,
    problem,
    random_image,
)
from vae.checkpoint import load

START = [0.5] * DIM
OPERAND = {"operand": {"latent": START}}


def traversed(client: Client, **options: Any) -> Any:
    return client.post("/traverse?format=json", json={**OPERAND, **options})


def test_a_direction_is_a_row_of_weights_as_in_expressions(client: Client) -> None:
    response = traversed(client, along="glasses")
    row = latents(response)
    for z, weight in zip(row, (-2, -1, 0, 1, 2), strict=True):
        body = {"expression": f"me + {weight}*glasses".replace("+ -", "- ")}
        edit = {**body, "operands": {"me": {"latent": START}}}
        [expected] = latents(client.post("/arithmetic?format=json", json=edit))
        np.testing.assert_allclose(z, expected, atol=1e-5)
    assert np.array_equal(images(response), decoded(client, *row))
    sheet = pixels(ok(client.post("/traverse", json={**OPERAND, "along": "glasses"})).content)
    assert sheet.shape == (SIZE, 5 * SIZE, 3)


def test_a_principal_axis_counts_standard_deviations(client: Client, models: Path) -> None:
    axes = load(models / "tiny").statistics.principal_axes.numpy()
    row = latents(traversed(client, along=2, low=-1, high=3, steps=3))
    for z, weight in zip(row, (-1, 1, 3), strict=True):
        np.testing.assert_allclose(z, START + weight * axes[1], atol=1e-5)


def test_two_are_a_grid(client: Client) -> None:
    options = {"along": "smile", "across": 1, "steps": 3, "rows": 2, "high": 1}
    grid = latents(traversed(client, **options)).reshape(2, 3, DIM)
    smile = latents(traversed(client, along="smile", steps=3, high=1))
    axis = latents(traversed(client, along=1, steps=2, high=1))
    for i in range(2):
        for j in range(3):
            np.testing.assert_allclose(grid[i, j], smile[j] + axis[i] - START, atol=1e-5)
    sheet = pixels(ok(client.post("/traverse", json={**OPERAND, **options})).content)
    assert sheet.shape == (2 * SIZE, 3 * SIZE, 3)
    square = latents(traversed(client, along="smile", across="glasses", steps=3))
    assert len(square) == 9


def test_it_starts_at_the_mean_of_its_operands(client: Client) -> None:
    a, b = (file(random_image(seed)) for seed in (1, 2))
    form = {"along": "1", "steps": "3"}
    response = client.post(
        "/traverse?format=json", files=[("operand", a), ("operand", b)], data=form
    )
    np.testing.assert_allclose(latents(response)[1], means(client, a, b).mean(0), atol=1e-4)


@pytest.mark.parametrize(
    ("options", "pointer", "word"),
    [
        ({"along": "hat"}, "#/along", "glasses, smile"),
        ({"along": 0}, "#/along", "1 to 8"),
        ({"along": "9"}, "#/along", "1 to 8"),
        ({"along": "1", "across": 9}, "#/across", "1 to 8"),
        ({"along": "a b"}, "#/along", "name of a direction"),
        ({"along": True}, "#/along", "name of a direction"),
        ({}, "#/along", "required"),
        ({"along": 1, "low": -11}, "#/low", "-10"),
        ({"along": 1, "steps": 1}, "#/steps", "2"),
        ({"along": 1, "rows": 2}, "#", "rows needs across"),
        ({"along": 1, "across": 2, "steps": 9}, "#", "at most 64"),
        ({"along": 1, "operand": {"latent": [1]}}, "#/operand/0/latent", "1 values"),
        ({"along": 1, "high": 10, "operand": {"latent": [1e6] * DIM}}, "#/operand", "1000000"),
    ],
)
def test_what_is_out_of_range_is_refused(
    client: Client, options: dict[str, Any], pointer: str, word: str
) -> None:
    errors = problem(traversed(client, **options), 422, word)["errors"]
    assert [error["pointer"] for error in errors] == [pointer]
