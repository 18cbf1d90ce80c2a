"""Results as the bytes of a response: PNG, JSON or npy. To be called on an image thread."""

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.http.negotiation import JSON, NPY, PNG
from app.images import png, provenance
from app.images.contact_sheet import contact_sheet
from app.inference.engine import Posterior
from app.operations.decode import DecodedImage


@dataclass(frozen=True)
class EncodedResponse:
    """The body of a response and its media type."""

    body: bytes
    media_type: str


def images_as_png(
    model_id: str, detail: float, images: Sequence[DecodedImage], columns: int | None
) -> EncodedResponse:
    """One image with its provenance in a text chunk, or several as one contact sheet."""
    if len(images) == 1:
        return EncodedResponse(_png(model_id, detail, images[0]), PNG)
    sheet = contact_sheet([image.pixels for image in images], columns)
    return EncodedResponse(png.encode(sheet), PNG)


def images_as_json(model_id: str, detail: float, images: Sequence[DecodedImage]) -> EncodedResponse:
    """Every image as a base64 PNG with its provenance, the latents, and the strength if one was
    chosen.

    The base64 text is joined rather than passed to ``json.dumps``, which would hold the
    interpreter's lock for as long as it takes to escape megabytes that need no escapes.
    """
    files = [base64.b64encode(_png(model_id, detail, image)) for image in images]
    latents = [json.dumps(image.latent.tolist()).encode() for image in images]
    strengths = [image.strength for image in images if image.strength is not None]
    strength = f', "strength": {json.dumps(strengths[0])}' if strengths else ""
    seeds = json.dumps([image.seed for image in images if image.seed is not None]).encode()
    body = b"".join(
        (
            b'{"model": ',
            json.dumps(model_id).encode(),
            b', "detail": ',
            json.dumps(detail).encode(),
            b', "images": ["',
            b'", "'.join(files),
            b'"], "latents": [',
            b", ".join(latents),
            b'], "seeds": ',
            seeds,
            strength.encode(),
            b"}",
        )
    )
    return EncodedResponse(body, JSON)


def posteriors_as_json(model_id: str, posteriors: Sequence[Posterior]) -> EncodedResponse:
    """Mean and log-variance of every image."""
    latents = [{"mean": p.mean[0].tolist(), "logvar": p.logvar[0].tolist()} for p in posteriors]
    return EncodedResponse(json.dumps({"model": model_id, "latents": latents}).encode(), JSON)


def posteriors_as_npy(posteriors: Sequence[Posterior]) -> EncodedResponse:
    """The means, float32 ``(N, D)``."""
    stream = io.BytesIO()
    means = np.concatenate([p.mean.numpy() for p in posteriors])
    np.save(stream, means.astype("<f4"), allow_pickle=False)
    return EncodedResponse(stream.getvalue(), NPY)


def _png(model_id: str, detail: float, image: DecodedImage) -> bytes:
    origin = provenance.ImageProvenance(model_id, image.latent.numpy(), image.seed)
    return png.encode(image.pixels, provenance.write(origin, image.pixels, detail))
