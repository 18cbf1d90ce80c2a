"""Directions as functions of operands, ``her + glasses(worn)``, through HTTP."""

from typing import Any

import numpy as np
import pytest
from httpx import Client, Response

from app.operations.preserve import pixel_edit, preserved
from tests.app.conftest import (
    DIM,
    Latents,
    apart,
    decoded,
    file,
    images,
    latents,
    means,
    ok,
    pixels,
    problem,
    random_image,
    tiny_checkpoint,
)

A, B, C = (file(random_image(seed)) for seed in (1, 2, 3))
GLASSES = tiny_checkpoint(0).directions["glasses"]


def arithmetic(client: Client, expression: str, **options: Any) -> Response:
    data = {"expression": expression, **options.pop("data", {})}
    return client.post("/arithmetic?format=json", data=data, **options)


def step() -> Latents:
    return GLASSES.vector.double().numpy()


def residual(z: Latents) -> Latents:
    assert GLASSES.within_label is not None
    rows, centre = (
        t.double().numpy() for t in (GLASSES.within_label.rows, GLASSES.within_label.centre)
    )
    found: Latents = (rows @ z - centre) @ rows
    return found


def test_a_function_adds_the_direction_and_the_residual_of_its_argument(client: Client) -> None:
    files = [("her", A), ("worn", B), ("worn", C)]
    a, b, c = means(client, A, B, C)
    own = residual((b + c) / 2)
    assert np.abs(own).max() > 0.1
    for text, expected in {
        "her + glasses(worn)": a + step() + own,
        "her + 1.5*glasses(worn)": a + 1.5 * (step() + own),
        "0.25*glasses(worn) + 2*her + 0.5*glasses(worn)": 2 * a + 0.75 * (step() + own),
        "her - glasses + glasses(worn)": a - residual(a) + own,
        "her - glasses(her) + glasses(worn)": a - residual(a) + own,
        "glasses(worn) + glasses(her)": 2 * step() + own + residual(a),
    }.items():
        sent = files if "her" in text else files[1:]
        found = latents(arithmetic(client, text, files=sent))[0]
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_what_a_function_adds_it_takes_off(client: Client) -> None:
    text = "her + glasses(worn) - glasses(worn)"
    her = [0.25 * i for i in range(DIM)]
    body = {"expression": text, "operands": {"her": {"latent": her}, "worn": {"seed": 3}}}
    assert latents(client.post("/arithmetic?format=json", json=body))[0].tolist() == her


@pytest.mark.parametrize("weight", [0.5, 1.0, 2.0])
def test_taking_off_ones_own_is_taking_off(client: Client, weight: float) -> None:
    own = latents(arithmetic(client, f"me - {weight}*glasses(me)", files={"me": A}))
    plain = latents(arithmetic(client, f"me - {weight}*glasses", files={"me": A}))
    np.testing.assert_allclose(own, plain, atol=1e-5)


def test_preserve_keeps_an_operand_that_is_not_only_an_argument(client: Client) -> None:
    files = {"worn": B, "her": A}
    response = arithmetic(client, "glasses(worn) + her", files=files, data={"preserve": "1"})
    [after] = images(arithmetic(client, "glasses(worn) + her", files=files))
    [before] = decoded(client, *means(client, A))
    edit = pixel_edit(pixels(A), before, after, removal=0.0)
    assert apart(images(response)[0], preserved(edit, pixels(A), after, 1.0)) <= 1
    alone = arithmetic(client, "glasses(worn)", files={"worn": B}, data={"preserve": "1"})
    assert problem(alone, 422, "one image")["errors"][0]["pointer"] == "#/preserve"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a + b(a)", ["'b' at character 5", "is an operand", "directions that can: glasses"]),
        ("a + b + smile(a)", ["'smile' at character 9", "no argument", "that can: glasses"]),
        ("a + b + glasses(smile)", ["'glasses' at character 9", "'smile', which is a direction"]),
        ("a + b + glasses(us)", ["'glasses' at character 9", "'us', which is not in the request"]),
        ("a + b + nose(a)", ["'nose' at character 9", "neither", "directions: glasses, smile"]),
        ("a + b + us", ["'us' at character 9", "neither", "directions: glasses, smile"]),
        ("a + b + glasses(a", ["expected ')' after 'glasses(a'", "character 18", "the end"]),
    ],
)
def test_a_wrong_function_is_told_the_place(client: Client, text: str, words: list[str]) -> None:
    body = problem(arithmetic(client, text, files={"a": A, "b": B}), 422, *words)
    assert body["errors"][0]["pointer"] == "#/expression"


def test_a_name_is_used_as_an_argument_or_refused(client: Client) -> None:
    ok(arithmetic(client, "glasses(a)", files={"a": A}))
    body = problem(arithmetic(client, "glasses(a)", files={"a": A, "b": B}), 422, "use 'b'")
    assert body["errors"][0]["pointer"] == "#/operands/b"


def test_an_operand_that_is_named_as_a_direction_is_no_function(client: Client) -> None:
    files = {"a": A, "glasses": B}
    problem(arithmetic(client, "glasses(a)", files=files), 422, "'glasses'", "is an operand")
    found = arithmetic(client, "glasses(smile)", files={"smile": A})
    [a] = means(client, A)
    np.testing.assert_allclose(latents(found)[0], step() + residual(a), atol=1e-4)


def test_a_function_too_large_for_a_latent_is_refused(client: Client) -> None:
    body = {"expression": "1000000*glasses(a)", "operands": {"a": {"latent": [9.0] * DIM}}}
    problem(client.post("/arithmetic", json=body), 422, "1000000")
