"""Images of a running service, and how they are put beside each other."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import skimage.data
from PIL import Image

IMAGES = Path(__file__).parents[1] / "images"
TILE, GAP = 160, 4  # pixels
QUALITY = 85
Files = Sequence[tuple[str, bytes]]


class Service:
    """A service with ``models/faces`` first and ``models/avatars`` second."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=120)

    def images(self, path: str, **request: Any) -> list[bytes]:
        """The PNGs of a response, which carry their latents."""
        response = self._client.post(f"{path}{'&' if '?' in path else '?'}format=json", **request)
        return [base64.b64decode(image) for image in response.raise_for_status().json()["images"]]

    def sample(self, seed: int, **options: Any) -> bytes:
        """One generated image."""
        return self.images("/sample", json={"seed": seed, **options})[0]

    def arithmetic(self, expression: str, files: Files, **options: Any) -> bytes:
        """The image of an expression."""
        data = {"expression": expression, **options}
        return self.images("/arithmetic", data=data, files=list(files))[0]

    def mask(self, expression: str, files: Files) -> bytes:
        """The mask of an edit that preserves its photograph."""
        data = {"expression": expression, "mask": "true"}
        response = self._client.post("/arithmetic?format=json", data=data, files=list(files))
        return base64.b64decode(response.raise_for_status().json()["mask"])

    def encode(self, images: Sequence[bytes], model: str) -> tuple[npt.NDArray[np.float64], ...]:
        """Means and log-variances of at most 64 images, ``(N, D)`` each."""
        response = self._client.post(
            "/encode",
            params={"format": "json", "model": model},
            files=[("image", image) for image in images],
        )
        rows = response.raise_for_status().json()["latents"]
        return np.array([row["mean"] for row in rows]), np.array([row["logvar"] for row in rows])

    def put_direction(self, name: str, **body: Any) -> None:
        """Save a direction."""
        self._client.put(f"/directions/{name}", json=body).raise_for_status()

    def delete_direction(self, name: str) -> None:
        """Delete it."""
        self._client.delete(f"/directions/{name}").raise_for_status()


def opened(image: bytes | Image.Image) -> Image.Image:
    """The image in RGB."""
    loaded = Image.open(io.BytesIO(image)) if isinstance(image, bytes) else image
    return loaded.convert("RGB")


def sheet(rows: Sequence[Sequence[bytes | Image.Image]], tile: int = TILE) -> Image.Image:
    """Rows of square images with white gaps."""
    width = max(len(row) for row in rows)
    size = (width * (tile + GAP) - GAP, len(rows) * (tile + GAP) - GAP)
    image = Image.new("RGB", size, "white")
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            resized = opened(cell).resize((tile, tile), Image.Resampling.LANCZOS)
            image.paste(resized, (x * (tile + GAP), y * (tile + GAP)))
    return image


def astronaut() -> bytes:
    """A photograph of Eileen Collins, by NASA, in the public domain; 512 x 512 pixels, as PNG."""
    pixels = skimage.data.astronaut()  # type: ignore[no-untyped-call]
    return png(Image.fromarray(pixels))


def png(image: Image.Image) -> bytes:
    """The image as a file."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def save(image: Image.Image, name: str) -> None:
    """Write a picture of the pages, such as ``tour-samples.jpg``."""
    image.save(IMAGES / name, quality=QUALITY, optimize=True)
