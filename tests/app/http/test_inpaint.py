"""``/inpaint``, through HTTP."""

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image, ImageDraw

from app.settings import Settings
from tests.app.conftest import (
    DIM,
    SIZE,
    Pixels,
    apart,
    file,
    images,
    ok,
    pixels,
    problem,
    random_image,
    serving,
    text,
    tiny_checkpoint,
)
from tests.app.images.sequences import played
from tests.photographs import FACE_CENTRE, astronaut
from vae.checkpoint import save

WHOLE = (0, 0, SIZE, SIZE)
HALF = (0, 0, SIZE // 2, SIZE)
IMAGE = file(random_image(1))
TEMPLATE = ((9.5, 9.0), (22.0, 9.5), (16.0, 17.0), (10.0, 22.0), (21.5, 22.0))


def mask(
    *boxes: tuple[int, int, int, int], size: tuple[int, int] = (SIZE, SIZE), level: int = 255
) -> Image.Image:
    """Black, with boxes (left, top, right, bottom) of a grey level."""
    image = Image.new("L", size)
    for left, top, right, bottom in boxes:
        ImageDraw.Draw(image).rectangle((left, top, right - 1, bottom - 1), level)
    return image


def post(client: httpx.Client, image: bytes, mask: bytes, **fields: object) -> httpx.Response:
    data = {name: str(value) for name, value in fields.items()}
    files = {"image": image, "mask": mask}
    return client.post("/inpaint?format=json", files=files, data=data)


def changed(found: Pixels, original: Pixels) -> Pixels:
    return np.asarray((found != original).any(2))


def test_known_pixels_stay_and_unknown_ones_are_not_looked_at(client: httpx.Client) -> None:
    parts = mask(HALF, (20, 4, 28, 12))
    unknown = np.asarray(parts) > 0
    painted = np.array(random_image(1))
    painted[unknown] = (255, 0, 0)
    found = images(post(client, IMAGE, file(parts), seed=4, n=2))
    for image in found:
        assert not changed(image, pixels(IMAGE))[~unknown].any()
        assert changed(image, pixels(IMAGE))[unknown].mean() > 0.5
    again = images(post(client, file(Image.fromarray(painted)), file(parts), seed=4, n=2))
    assert all(np.array_equal(a, b) for a, b in zip(found, again, strict=True))


def test_seeds_differ_and_reproduce(client: httpx.Client) -> None:
    response = ok(post(client, IMAGE, file(mask(HALF)), seed=7, n=3))
    assert response.json()["seeds"] == [7, 8, 9]
    assert response.headers["lorgnette-seed"] == "7"
    found = images(response)
    assert min(apart(found[0], found[1]), apart(found[1], found[2])) > 2
    alone = images(post(client, IMAGE, file(mask(HALF)), seed=8))
    assert apart(alone[0], found[1]) <= 2  # in another batch
    drawn = [ok(post(client, IMAGE, file(mask(HALF)))).json()["seeds"][0] for _ in range(2)]
    assert drawn[0] != drawn[1]


def test_the_same_as_json_and_in_every_form(client: httpx.Client) -> None:
    body = {"image": text(IMAGE), "mask": text(file(mask(HALF))), "n": 2, "seed": 7}
    expected = images(client.post("/inpaint?format=json", json=body))
    sheet = ok(client.post("/inpaint", json={**body, "size": 64}))
    assert pixels(sheet.content).shape == (64, 128, 3)
    gif = ok(client.post("/inpaint?format=gif", json={**body, "fps": 5}))
    assert played(gif.content).durations == [200, 200]
    latents = np.load(io.BytesIO(ok(client.post("/inpaint?format=npy", json=body)).content))
    assert latents.shape == (2, DIM)
    one = ok(client.post("/inpaint", json={**body, "n": 1})).content
    assert apart(pixels(one), expected[0]) <= 2
    again = ok(client.post("/reconstruct?format=json", files={"image": one})).json()
    assert again["latents"][0] == pytest.approx(latents[0].tolist(), abs=1e-3)  # it carries its own


@pytest.mark.parametrize(("level", "unknown"), [(127, False), (128, True)])
def test_grey_is_the_nearer_of_black_and_white(
    client: httpx.Client, level: int, unknown: bool
) -> None:
    parts = mask((0, 0, 8, SIZE))
    parts.paste(mask(WHOLE, size=(8, SIZE), level=level), (24, 0))
    [found] = images(post(client, IMAGE, file(parts), seed=1))
    assert changed(found, pixels(IMAGE))[:, 24:].any() == unknown


def test_what_is_transparent_is_unknown(client: httpx.Client) -> None:
    see_through = Image.new("LA", (SIZE, SIZE), (0, 255))
    see_through.paste((0, 0), HALF)
    found = images(post(client, IMAGE, file(see_through), seed=1))
    expected = images(post(client, IMAGE, file(mask(HALF)), seed=1))
    assert apart(found[0], expected[0]) == 0


@pytest.mark.parametrize(
    ("fit", "box"),
    [("crop", (8, 8, 24, 24)), ("pad", (12, 12, 20, 20)), ("stretch", (12, 8, 20, 24))],
)
def test_a_mask_of_the_size_of_the_image_is_fitted_with_it(
    client: httpx.Client, fit: str, box: tuple[int, int, int, int]
) -> None:
    wide, centre = file(random_image(2, (160, 80))), (60, 20, 100, 60)
    data = {"fit": fit, "compare": "true"}
    compared = client.post("/reconstruct?format=json", files={"image": wide}, data=data)
    original = images(compared)[0]
    parts = file(mask(centre, size=(160, 80)))
    [found] = images(post(client, wide, parts, seed=1, fit=fit))
    rows, columns = np.nonzero(changed(found, original))
    bounds = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    assert bounds == pytest.approx(box, abs=2)  # it grows where the image is resized


def test_a_mask_of_the_size_of_the_model_is_that_of_the_fitted_image(client: httpx.Client) -> None:
    wide = file(random_image(2, (160, 80)))
    found = images(post(client, wide, file(mask(HALF)), seed=1))
    left = mask((40, 0, 80, 80), size=(160, 80))  # the left half of the centred square
    expected = images(post(client, wide, file(left), seed=1))
    assert apart(found[0], expected[0]) == 0


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (mask(HALF, size=(SIZE + 1, SIZE)), "33 x 32 pixels; it must have those of the image"),
        (mask(), "black everywhere"),
        (mask(WHOLE), "white everywhere"),
        (mask(WHOLE, level=127), "black everywhere"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(
    client: httpx.Client, sent: Image.Image, words: str
) -> None:
    found = problem(post(client, IMAGE, file(sent)), 422, words)
    assert [error["pointer"] for error in found["errors"]] == ["#/mask"]


@pytest.mark.parametrize(
    ("files", "data", "pointer", "status"),
    [
        ({"image": IMAGE}, {}, "#/mask", 422),
        ({"mask": IMAGE}, {}, "#/image", 422),
        ({"image": IMAGE, "mask": b"no image"}, {}, "#/mask", 415),
        ({"image": IMAGE, "mask": IMAGE[:200]}, {}, "#/mask", 400),
        ({"image": IMAGE}, {"mask": "mask.png"}, "#/mask", 422),
        ({"image": IMAGE, "mask": IMAGE, "other": IMAGE}, {}, "#/other", 422),
        ({"image": IMAGE, "mask": IMAGE}, {"n": "65"}, "#/n", 422),
        ({"image": IMAGE, "mask": IMAGE}, {"seed": str(2**53 - 1), "n": "2"}, "#", 422),
        ({"image": IMAGE, "mask": IMAGE}, {"embedded": "false"}, "#/embedded", 422),
    ],
)
def test_a_wrong_field_is_pointed_at(
    client: httpx.Client, files: Any, data: dict[str, str], pointer: str, status: int
) -> None:
    found = problem(client.post("/inpaint", files=files, data=data), status)
    assert [error["pointer"] for error in found["errors"]] == [pointer]


def test_a_field_twice_is_refused(client: httpx.Client) -> None:
    files = [("image", IMAGE), ("mask", IMAGE), ("mask", IMAGE)]
    found = problem(client.post("/inpaint", files=files), 422, "twice")
    assert found["errors"][0]["pointer"] == "#/mask"
    problem(client.post("/inpaint", content=IMAGE, headers={"content-type": "image/png"}), 415)


def test_temperature_0_is_the_most_likely_result(client: httpx.Client) -> None:
    cold = images(post(client, IMAGE, file(mask(HALF)), seed=7, n=2, temperature=0))
    assert apart(cold[0], cold[1]) <= 1
    warm = images(post(client, IMAGE, file(mask(HALF)), seed=7))
    assert apart(cold[0], warm[0]) > 2


@pytest.fixture(scope="module")
def aligned(
    settings: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A service whose model aligns faces."""
    folder = tmp_path_factory.mktemp("aligned")
    checkpoint = replace(tiny_checkpoint(2), alignment_template=TEMPLATE)
    save(checkpoint, folder / "model.safetensors")
    (folder / "without").mkdir()
    save(replace(checkpoint, pixel_regression=None), folder / "without" / "model.safetensors")
    with serving(settings(models=(str(folder), str(folder / "without")))) as client:
        yield client


def test_a_checkpoint_without_its_statistics_says_so(aligned: httpx.Client) -> None:
    files = {"image": IMAGE, "mask": file(mask(HALF))}
    found = problem(
        aligned.post("/inpaint?model=without", files=files), 422, "training image-statistics"
    )
    assert found["type"] == "urn:lorgnette:no-inpainting"


def test_the_mask_of_a_photograph_is_aligned_with_it(aligned: httpx.Client, tmp_path: Path) -> None:
    photograph = astronaut()
    left, top = FACE_CENTRE[0], 0
    right_half = mask((left, top, *photograph.size), size=photograph.size)
    response = post(aligned, file(photograph), file(right_half), seed=1)
    [found] = images(response)
    compared = {"compare": "true"}
    original = images(
        aligned.post("/reconstruct?format=json", files={"image": file(photograph)}, data=compared)
    )[0]
    columns = changed(found, original).mean(0)
    assert (columns[: SIZE // 2 - 4] == 0).all()
    assert (columns[SIZE // 2 + 4 :] > 0.5).all()
