"""Options that are out of range, that the format does not use, or that make too large images."""

from urllib.parse import urlencode

import pytest
from httpx import Client, Response

from tests.app.conftest import file, problem, random_image

A = file(random_image(1))
JSON_BODIES = {
    "/sample": {"seed": 1, "n": 3},
    "/decode": {"latents": [[0.5] * 8]},
    "/interpolate": {"start": {"seed": 1}, "end": {"seed": 2}},
    "/arithmetic": {"expression": "glasses"},
}


def asked(client: Client, path: str, name: str, **query: object) -> Response:
    url = f"{path}?{urlencode({'format': name, **query})}"
    if path in JSON_BODIES:
        return client.post(url, json=JSON_BODIES[path])
    return client.post(url, files={"image": A})


@pytest.mark.parametrize(
    ("path", "name", "options"),
    [
        ("/sample", "png", ["quality"]),
        ("/sample", "zip", ["quality", "fps", "loop", "bounce"]),
        ("/decode", "jpeg", ["fps"]),
        ("/interpolate", "webp", ["loop", "bounce"]),
        ("/interpolate", "gif", ["quality"]),
        ("/reconstruct", "json", ["bounce"]),
        ("/reconstruct", "npy", ["size", "quality"]),
        ("/encode", "json", ["size"]),
        ("/arithmetic", "json", ["quality"]),
    ],
)
def test_an_option_that_the_format_does_not_use_is_refused_by_its_name(
    client: Client, path: str, name: str, options: list[str]
) -> None:
    sent = {"quality": 50, "fps": 5, "loop": 2, "bounce": "false", "size": 64}
    response = asked(client, path, name, **{option: sent[option] for option in options})
    body = problem(response, 422, f"{options[0]} has no effect on ", "choose format=")
    assert [error["pointer"] for error in body["errors"]] == [f"#/{option}" for option in options]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("size", 31),
        ("size", 1025),
        ("size", "large"),
        ("quality", 0),
        ("quality", 101),
        ("fps", 0),
        ("fps", 51),
        ("fps", "nan"),
        ("loop", -1),
        ("loop", 65_536),
        ("bounce", "often"),
    ],
)
def test_an_option_that_is_out_of_range_is_refused(
    client: Client, option: str, value: object
) -> None:
    body = problem(asked(client, "/sample", "gif", **{option: value}), 422)
    assert body["errors"][0]["pointer"] == f"#/{option}"


def test_images_that_are_too_large_together_are_refused_before_they_are_decoded(
    client: Client,
) -> None:
    sheet = {"n": 64, "seed": 1, "size": 1024}
    for name in ("png", "webp", "jpeg", "json"):
        response = client.post(f"/sample?format={name}", json=sheet)
        problem(response, 413, "8 x 8 images of 1024 x 1024", "format=zip")
    row = {"start": {"seed": 1}, "end": {"seed": 2}, "steps": 32, "size": 520}
    problem(client.post("/interpolate?format=webp", json=row), 413, "16383 a side")
