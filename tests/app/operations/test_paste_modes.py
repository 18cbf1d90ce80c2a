"""Photographs of other modes than RGB, and their colour profiles, with ``paste`` through HTTP."""

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.app.conftest import file, random_image
from tests.app.pasted import check_disc, disc_edit, paste, pasted, profile_of, upright

PHOTO = random_image(1, (400, 300))


@pytest.fixture(autouse=True)
def edit_a_disc(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is not trained: what it changes has no place in the image."""
    monkeypatch.setattr("app.operations.preserve.preserve_edit", disc_edit)


PALETTE = PHOTO.quantize(16)
TRANSPARENT = Image.merge("RGBA", (*PHOTO.split(), random_image(9, PHOTO.size).getchannel(0)))
CMYK = PHOTO.convert("CMYK")


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (PHOTO.convert("L"), "PNG"),
        (PHOTO.convert("LA"), "PNG"),
        (PHOTO.convert("1"), "PNG"),
        (PALETTE, "PNG"),
        (PALETTE, "GIF"),
        (CMYK, "JPEG"),
        (CMYK, "TIFF"),
        (PHOTO, "BMP"),
        (PHOTO.convert("L"), "JPEG"),
    ],
)
def test_other_modes_become_rgb(client: httpx.Client, image: Image.Image, kind: str) -> None:
    data = file(image, kind)
    after = pasted(paste(client, data))
    assert after.mode == "RGB"
    check_disc(upright(data), np.asarray(after), 300)


def test_alpha_goes_onto_white(client: httpx.Client) -> None:
    white = Image.alpha_composite(Image.new("RGBA", PHOTO.size, "white"), TRANSPARENT)
    after = pasted(paste(client, file(TRANSPARENT)))
    check_disc(np.asarray(white.convert("RGB")), np.asarray(after), 300)


def test_16_bits_become_8(client: httpx.Client) -> None:
    levels = np.asarray(PHOTO.convert("L"))
    data = file(Image.fromarray(levels.astype(np.uint16) * 257))
    after = np.asarray(pasted(paste(client, data)))
    check_disc(np.repeat(levels[..., None], 3, 2), after, 300)


@pytest.mark.parametrize(
    ("image", "space", "model", "kept"),
    [
        (PHOTO, b"RGB ", "tiny", True),
        (PALETTE, b"RGB ", "tiny", False),  # its pixels are converted to sRGB
        (CMYK, b"CMYK", "tiny", False),
        (PHOTO.convert("L"), b"GRAY", "tiny", False),
        (PHOTO.convert("L"), b"GRAY", "grey", True),
        (PHOTO, b"RGB ", "grey", False),
    ],
)
def test_a_profile_of_other_pixels_is_dropped(
    client: httpx.Client, image: Image.Image, space: bytes, model: str, kept: bool
) -> None:
    kind = "PNG" if image.mode == "P" else "JPEG"
    data = file(image, kind, icc_profile=profile_of(space))
    after = pasted(paste(client, data, params={"model": model}))
    assert after.mode == ("L" if model == "grey" else "RGB")
    assert after.info.get("icc_profile") == (profile_of(space) if kept else None)


def test_a_broken_profile_is_dropped(client: httpx.Client) -> None:
    data = file(PHOTO, "JPEG", icc_profile=b"nothing")
    assert "icc_profile" not in pasted(paste(client, data)).info
