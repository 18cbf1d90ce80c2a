"""Results as the bytes of a response: image file, JSON or npy. To be called on an image thread."""

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.http.body import InvalidError
from app.http.negotiation import JPEG, JSON, NPY, PNG, WEBP
from app.images import png, provenance
from app.images.contact_sheet import contact_sheet
from app.images.encoding import DEFAULT_QUALITY, Encoding, FileFormat, encode_pixels
from app.inference.engine import Posterior
from app.operations.decode import DecodedImage
from app.operations.paste import PastedPhotograph

LOSSY: dict[str, FileFormat] = {JPEG: "jpeg", WEBP: "webp"}


@dataclass(frozen=True)
class EncodedResponse:
    """The body of a response and its media type."""

    body: bytes
    media_type: str


def chosen_encoding(media_type: str, quality: int | None) -> Encoding:
    """How the images of a response are encoded; those in JSON are PNGs.

    Args:
        media_type: of the response.
        quality: that was requested.

    Raises:
        InvalidError: if a quality was requested of a lossless response.
    """
    if media_type in LOSSY:
        return Encoding(LOSSY[media_type], DEFAULT_QUALITY if quality is None else quality)
    if quality is not None:
        detail = f"quality has no effect on {media_type}; choose jpeg or webp, or leave it out"
        raise InvalidError([("#/quality", detail)])
    return Encoding()


def image_as_lossy_file(image: DecodedImage, encoding: Encoding) -> EncodedResponse:
    """One image as JPEG or WebP, without provenance, which is of the exact pixels."""
    return EncodedResponse(encode_pixels(image.pixels, encoding), f"image/{encoding.format}")


def photograph_as_file(photograph: PastedPhotograph, encoding: Encoding) -> EncodedResponse:
    """A photograph in the format that it has been encoded in."""
    return EncodedResponse(photograph.file, f"image/{encoding.format}")


def photograph_as_json(
    model_id: str, detail: float, photograph: PastedPhotograph
) -> EncodedResponse:
    """As ``images_as_json``, a photograph that has been encoded as PNG."""
    return _files_as_json(model_id, detail, [photograph.file], [photograph.latent.tolist()], [])


def images_as_png(
    model_id: str, detail: float, images: Sequence[DecodedImage], columns: int | None
) -> EncodedResponse:
    """One image with its provenance in a text chunk, or several as one contact sheet."""
    if len(images) == 1:
        return EncodedResponse(_png(model_id, detail, images[0]), PNG)
    sheet = contact_sheet([image.pixels for image in images], columns)
    return EncodedResponse(png.encode(sheet), PNG)


def images_as_json(model_id: str, detail: float, images: Sequence[DecodedImage]) -> EncodedResponse:
    """Every image as a base64 PNG with its provenance, and the latents."""
    files = [_png(model_id, detail, image) for image in images]
    seeds = [image.seed for image in images if image.seed is not None]
    return _files_as_json(
        model_id, detail, files, [image.latent.tolist() for image in images], seeds
    )


def _files_as_json(
    model_id: str,
    detail: float,
    files: Sequence[bytes],
    latents: Sequence[Sequence[float]],
    seeds: Sequence[int],
) -> EncodedResponse:
    """Image files in base64, and their latents.

    The base64 text is joined rather than passed to ``json.dumps``, which would hold the
    interpreter's lock for as long as it takes to escape megabytes that need no escapes.
    """
    body = b"".join(
        (
            b'{"model": ',
            json.dumps(model_id).encode(),
            b', "detail": ',
            json.dumps(detail).encode(),
            b', "images": ["',
            b'", "'.join(map(base64.b64encode, files)),
            b'"], "latents": [',
            b", ".join(json.dumps(latent).encode() for latent in latents),
            b'], "seeds": ',
            json.dumps(seeds).encode(),
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
