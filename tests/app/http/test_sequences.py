"""Animations, through HTTP."""

import io
from typing import Any

import httpx
import numpy as np
import pytest
from httpx import Client
from PIL import Image

from tests.app.conftest import images, ok
from tests.app.images.sequences import Played, played

PATH = {"start": {"seed": 1}, "end": {"seed": 2}, "steps": 6}


def path(client: Client, name: str, **options: Any) -> httpx.Response:
    return ok(client.post(f"/interpolate?format={name}", json={**PATH, **options}))


def animation(client: Client, name: str, **options: Any) -> Played:
    return played(path(client, name, **options).content)


@pytest.mark.parametrize("name", ["gif", "apng"])
def test_an_animation_has_every_image_in_order(client: Client, name: str) -> None:
    found = animation(client, name)
    assert found.format == {"gif": "GIF", "apng": "PNG"}[name]
    expected = images(path(client, "json"))
    assert len(found.frames) == len(expected) == 6
    for frame, image in zip(found.frames, expected, strict=True):
        nearest = [np.abs(frame.astype(int) - other).mean() for other in expected]
        assert min(nearest) == np.abs(frame.astype(int) - image).mean()
    assert found.durations == [100] * 6
    assert found.loop == 0


@pytest.mark.parametrize(
    ("name", "fps", "loop", "durations", "found_loop"),
    [
        ("gif", 4, 1, [250] * 6, None),
        ("gif", 30, 3, [30, 40, 30, 30, 40, 30], 2),
        ("apng", 4, 1, [250] * 6, 1),
        ("apng", 0.5, 3, [2000] * 6, 3),
    ],
)
def test_fps_and_loop(
    client: Client,
    name: str,
    fps: float,
    loop: int,
    durations: list[float],
    found_loop: int | None,
) -> None:
    found = animation(client, name, fps=fps, loop=loop)
    assert found.durations == durations
    assert found.loop == found_loop


@pytest.mark.parametrize("name", ["gif", "apng"])
def test_a_bounce_goes_back_without_the_ends(client: Client, name: str) -> None:
    once = animation(client, name).frames
    both = animation(client, name, bounce=True).frames
    assert len(both) == 10
    back = [both[i] for i in range(6, 10)]
    for frame, image in zip([*both[:6], *back], [*once, *once[4:0:-1]], strict=True):
        assert np.abs(frame.astype(int) - image).mean() < 1


@pytest.mark.parametrize("name", ["gif", "apng"])
@pytest.mark.parametrize("n", [1, 2])
def test_few_images(client: Client, name: str, n: int) -> None:
    response = ok(client.post(f"/sample?format={name}", json={"seed": 1, "n": n, "bounce": True}))
    data = response.content
    assert response.headers["lorgnette-seed"] == "1"
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert getattr(image, "n_frames", 1) == n
