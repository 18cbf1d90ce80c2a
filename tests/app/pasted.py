"""What tests of ``paste`` share: an edit that an untrained model can show, and photographs."""

import io
from collections.abc import Mapping
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageCms, ImageOps
from torch import Tensor

from tests.app.conftest import SIZE, Pixels, ok
from vae.preserve import PixelEdit

RADIUS = 0.35  # of the edit, as a fraction of the crop's side
ORIENTATION = 0x0112
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def disc_edit(original: Tensor, before: Tensor, after: Tensor, _: float) -> PixelEdit:
    """As ``vae.preserve.preserve_edit``: in a disc in the middle of the crop, if anything changed.

    Half of the photograph is replaced there, and it becomes brighter.
    """
    side = original.shape[-1]
    at = (torch.arange(side) + 0.5) / side - 0.5
    distance = torch.hypot(at[:, None], at[None])
    changed = ((after - before).abs().amax((1, 2, 3), keepdim=True) > 0).float()
    mask = ((RADIUS - distance) * 20).clamp(0, 1)[None, None] * changed
    return PixelEdit(0.5 * mask, after, 0.2 * mask.expand_as(original), mask)


def profile_of(space: bytes) -> bytes:
    """A profile that says it is of a colour space; nothing reads the rest of it."""
    return SRGB[:16] + space + SRGB[20:]


def camera_file(image: Image.Image, kind: str = "JPEG", orientation: int = 1) -> bytes:
    """A photograph as a camera stores it, with a place, a device and a colour profile."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif[0x010F] = "A camera"
    exif.get_ifd(0x8825)[1] = "N"
    options: dict[str, Any] = {"JPEG": {"quality": 95, "comment": b"secret"}}.get(kind, {})
    stream = io.BytesIO()
    image.save(stream, kind, exif=exif, icc_profile=SRGB, **options)
    return stream.getvalue()


def upright(data: bytes) -> Pixels:
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))


def paste(
    client: httpx.Client,
    photograph: bytes,
    expression: str = "me + glasses",
    params: Mapping[str, str] | None = None,
    **fields: Any,
) -> httpx.Response:
    data = {"expression": expression, "paste": "true"}
    data |= {name: str(value) for name, value in fields.items()}
    return client.post("/arithmetic", params=params, files={"me": photograph}, data=data)


def pasted(response: httpx.Response) -> Image.Image:
    image = Image.open(io.BytesIO(ok(response).content))
    image.load()
    return image


def changed(a: Pixels | Image.Image, b: Pixels | Image.Image) -> npt.NDArray[np.bool_]:
    """Where two photographs of one size differ."""
    first, second = np.asarray(a), np.asarray(b)
    assert first.shape == second.shape
    return np.asarray((first != second).any(2))


def distances(shape: tuple[int, ...], centre: tuple[float, float]) -> npt.NDArray[np.float64]:
    """Of each pixel of ``(H, W, ...)`` from a point, in pixels."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    return np.asarray(np.hypot(x - centre[0], y - centre[1]))


def check_disc(before: Pixels, after: Pixels, side: float) -> None:
    """Only a disc in the middle changed, and all of it, where the crop has this side."""
    height, width, _ = before.shape
    radius = distances(before.shape, (width / 2, height / 2)) / side
    different = changed(before, after)
    assert different[radius < RADIUS - 0.1].mean() > 0.9
    assert not different[radius > RADIUS + 2 / min(side, SIZE)].any()
