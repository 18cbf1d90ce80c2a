"""Edits that are put back into photographs at their full size, through HTTP."""

import base64
import io
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from app.settings import Settings
from tests.app.conftest import (
    DIM,
    SIZE,
    apart,
    file,
    images,
    latents,
    ok,
    pixels,
    problem,
    random_image,
    serving,
)
from tests.app.pasted import (
    ORIENTATION,
    RADIUS,
    SRGB,
    camera_file,
    changed,
    check_disc,
    disc_edit,
    paste,
    pasted,
    upright,
)
from vae.preprocessing import EXIF_TRANSPOSES

PHOTO = random_image(1, (400, 300))
CAMERA = camera_file(PHOTO)


@pytest.fixture(autouse=True)
def edit_a_disc(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is not trained: what it changes has no place in the image."""
    monkeypatch.setattr("app.operations.preserve.preserve_edit", disc_edit)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_the_photograph_is_upright_and_changed_in_the_mask_only(
    client: httpx.Client, kind: str, orientation: int
) -> None:
    data = camera_file(PHOTO, kind, orientation)
    image = pasted(paste(client, data))
    assert image.format == "PNG"
    assert image.mode == "RGB"
    assert image.size == ((300, 400) if orientation in (6, 8) else (400, 300))
    check_disc(upright(data), np.asarray(image), 300)
    assert image.getexif().get(ORIENTATION, 1) == 1


def test_turned_photographs_give_the_turned_answer(client: httpx.Client) -> None:
    straight = pasted(paste(client, file(PHOTO)))
    for tag, transpose in EXIF_TRANSPOSES.items():
        exif = Image.Exif()
        exif[ORIENTATION] = tag
        inverse = {6: EXIF_TRANSPOSES[8], 8: EXIF_TRANSPOSES[6]}.get(tag, transpose)
        turned = file(PHOTO.transpose(inverse), exif=exif)
        assert apart(np.asarray(pasted(paste(client, turned))), np.asarray(straight)) <= 2


@pytest.mark.parametrize(("fit", "side"), [("crop", 300), ("pad", 400)])
def test_fit_says_where_the_crop_is(client: httpx.Client, fit: str, side: int) -> None:
    check_disc(np.asarray(PHOTO), np.asarray(pasted(paste(client, file(PHOTO), fit=fit))), side)


def test_a_stretched_photograph_is_stretched_back(client: httpx.Client) -> None:
    after = pasted(paste(client, file(PHOTO), fit="stretch"))
    different = changed(PHOTO, after)
    rows, columns = np.nonzero(different)
    assert np.ptp(columns) / 400 == pytest.approx(np.ptp(rows) / 300, abs=0.03)
    assert np.ptp(columns) / 400 == pytest.approx(2 * RADIUS, abs=0.05)


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (20, 12), (31, 33), (32, 32), (2600, 1500)])
def test_small_and_large_photographs_keep_their_size(
    client: httpx.Client, size: tuple[int, int]
) -> None:
    image = random_image(2, size)
    after = pasted(paste(client, file(image)))
    assert after.size == size
    assert changed(image, after).any()
    if min(size) > 10:
        check_disc(np.asarray(image), np.asarray(after), min(size))


def test_an_expression_that_changes_nothing_gives_the_photograph(client: httpx.Client) -> None:
    for data in (CAMERA, camera_file(PHOTO, orientation=6), file(random_image(3, (7, 9)))):
        after = pasted(paste(client, data, "me + 0*glasses"))
        assert np.array_equal(np.asarray(after), upright(data))


@pytest.mark.parametrize("name", ["png", "jpeg", "webp"])
def test_the_profile_is_kept_and_other_metadata_is_not(client: httpx.Client, name: str) -> None:
    for orientation in (1, 6):
        response = paste(client, camera_file(PHOTO, "JPEG", orientation), params={"format": name})
        image = pasted(response)
        assert response.headers["content-type"] == f"image/{name}"
        assert image.format == name.upper()
        assert image.info["icc_profile"] == SRGB
        assert len(image.getexif()) == 0
        assert set(image.info) <= {
            "icc_profile",
            "jfif",
            "jfif_version",
            "jfif_unit",
            "jfif_density",
            "background",
            "loop",
            "timestamp",
            "duration",
        }
        for secret in (b"A camera", b"secret", b"Exif\0\0", b"lorgnette"):
            assert secret not in response.content


def test_a_comment_of_a_png_is_not_kept(client: httpx.Client) -> None:
    sample = ok(client.post("/sample?seed=4")).content
    assert b"lorgnette" in sample
    response = paste(client, sample)
    assert b"lorgnette" not in response.content
    check_disc(pixels(sample), np.asarray(pasted(response)), SIZE)


def test_formats_hold_the_same_photograph(client: httpx.Client) -> None:
    exact = np.asarray(pasted(paste(client, CAMERA)))
    accept = {"Accept": "image/jpeg"}
    form = {"expression": "me + glasses", "paste": "true", "quality": "98"}
    jpeg = ok(client.post("/arithmetic", files={"me": CAMERA}, data=form, headers=accept))
    assert apart(pixels(jpeg.content), exact) < 12
    webp = paste(client, CAMERA, params={"format": "webp"}, quality=98)
    assert np.abs(pixels(ok(webp).content).astype(int) - exact).mean() < 3
    json = ok(paste(client, CAMERA, params={"format": "json"}))
    assert np.array_equal(images(json)[0], exact)
    assert latents(json).shape == (1, DIM)
    encoded = base64.b64decode(json.json()["images"][0])
    assert Image.open(io.BytesIO(encoded)).info == {"icc_profile": SRGB}


def test_quality_makes_smaller_files(client: httpx.Client) -> None:
    qualities: list[dict[str, Any]] = [{}, {"quality": 20}, {"quality": 97}]
    for name in ("jpeg", "webp"):
        default, low, high = (
            len(ok(paste(client, CAMERA, params={"format": name}, **quality)).content)
            for quality in qualities
        )
        assert low < default < high


@pytest.fixture(scope="module")
def limited(settings: Callable[..., Settings]) -> Iterator[httpx.Client]:
    with serving(settings(max_image_memory=2**20, max_image_pixels=10**6)) as client:
        yield client


def test_a_photograph_that_takes_too_much_memory_is_refused(limited: httpx.Client) -> None:
    fits = random_image(1, (400, 400))
    for kind in ("JPEG", "PNG"):
        ok(paste(limited, file(fits, kind)))
    large = file(random_image(1, (600, 600)), "JPEG")
    ok(limited.post("/arithmetic", files={"me": large}, data={"expression": "me + glasses"}))
    problem(paste(limited, large), 413, "paste takes", "600 x 600", "the limit is 2097152")
