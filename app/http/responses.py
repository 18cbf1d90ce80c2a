"""Answers as bytes: which form the caller accepts, contact sheets, PNGs, JSON, npy."""

import base64
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.images import png
from app.images import provenance as embedded
from app.inference.engine import Pixels, Posterior
from app.operations.service import DecodedImage

PNG = "image/png"
JSON = "application/json"
NPY = "application/x-npy"
FORMATS_BY_NAME = {"png": PNG, "json": JSON, "npy": NPY}


class NotAcceptableError(Exception):
    """The caller accepts none of the forms that this endpoint can answer in."""


@dataclass(frozen=True)
class Answer:
    """A body and its media type."""

    body: bytes
    media_type: str


def choose(accept: str, short_name: str | None, offered: Sequence[str]) -> str:
    """The media type to answer in, the first of ``offered`` where the caller does not mind.

    Args:
        accept: the Accept header (RFC 9110, section 12.5.1), empty if there was none.
        short_name: ``?format=``, which has the last word.
        offered: what the endpoint can do, preferred first.

    Raises:
        NotAcceptableError: if nothing fits.
    """
    if short_name is not None:
        if FORMATS_BY_NAME.get(short_name) in offered:
            return FORMATS_BY_NAME[short_name]
        names = [k for k, v in FORMATS_BY_NAME.items() if v in offered]
        raise NotAcceptableError(f"format {short_name!r}; choose from {', '.join(names)}")
    ranges = [_media_range(part) for part in accept.split(",") if part.strip()] or [("*/*", 1.0)]

    def quality(media_type: str) -> float:
        patterns = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
        for pattern in patterns:  # the most specific range decides
            matches = [q for name, q in ranges if name == pattern]
            if matches:
                return max(matches)
        return 0.0

    best = max(offered, key=quality)
    if quality(best) <= 0.0:
        raise NotAcceptableError(
            f"Accept is {accept!r}; this endpoint answers {', '.join(offered)}"
        )
    return best


def _media_range(text: str) -> tuple[str, float]:
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    weights = [p.removeprefix("q=") for p in parameters if p.startswith("q=")]
    try:
        quality = float(weights[0]) if weights else 1.0
    except ValueError:
        quality = 0.0
    return name, quality if math.isfinite(quality) else 0.0


def sheet(pictures: Sequence[Pixels], columns: int | None = None) -> Pixels:
    """Pictures ``(S, S, C)`` as tiles without gaps, row by row; white where tiles are missing.

    Args:
        pictures: at least one.
        columns: tiles a row, or None for the squarest sheet.
    """
    columns = columns or math.ceil(math.sqrt(len(pictures)))
    height, width, channels = pictures[0].shape
    rows = math.ceil(len(pictures) / columns)
    board = np.full((rows * height, columns * width, channels), 255, np.uint8)
    for i, picture in enumerate(pictures):
        row, column = divmod(i, columns)
        top, left = row * height, column * width
        board[top : top + height, left : left + width] = picture
    return board


def pictures_as_png(model: str, drawn: Sequence[DecodedImage], columns: int | None) -> Answer:
    """One picture with its origin inside, or several as one contact sheet."""
    if len(drawn) == 1:
        return Answer(_png(model, drawn[0]), PNG)
    return Answer(png.encode(sheet([d.pixels for d in drawn], columns)), PNG)


def pictures_as_json(model: str, drawn: Sequence[DecodedImage]) -> Answer:
    """Every picture as a base64 PNG with its origin inside, and the latents."""
    body = {
        "model": model,
        "images": [base64.b64encode(_png(model, d)).decode() for d in drawn],
        "latents": [d.latent.tolist() for d in drawn],
        "seeds": [d.seed for d in drawn if d.seed is not None],
    }
    return Answer(json.dumps(body).encode(), JSON)


def posteriors_as_json(model: str, posteriors: Sequence[Posterior]) -> Answer:
    """Mean and log-variance of every picture."""
    latents = [{"mean": p.mean[0].tolist(), "logvar": p.logvar[0].tolist()} for p in posteriors]
    return Answer(json.dumps({"model": model, "latents": latents}).encode(), JSON)


def posteriors_as_npy(posteriors: Sequence[Posterior]) -> Answer:
    """The means, float32 ``(N, D)``."""
    stream = io.BytesIO()
    means = np.concatenate([p.mean.numpy() for p in posteriors])
    np.save(stream, means.astype("<f4"), allow_pickle=False)
    return Answer(stream.getvalue(), NPY)


def _png(model: str, drawn: DecodedImage) -> bytes:
    origin = embedded.ImageProvenance(model, drawn.latent.numpy(), drawn.seed)
    return png.encode(drawn.pixels, embedded.write(origin, drawn.pixels))
