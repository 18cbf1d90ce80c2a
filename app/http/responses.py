"""Results as the bytes of a response: image file, JSON or npy. To be called on an image thread."""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.http.body import InvalidError
from app.http.negotiation import JPEG, JSON, NPY, PNG, WEBP
from app.images import png, provenance
from app.images.contact_sheet import contact_sheet
from app.images.encoding import DEFAULT_QUALITY, Encoding, FileFormat, encode_pixels
from app.inference.engine import Posterior
from app.operations.arithmetic import ArithmeticResult
from app.operations.decode import DecodedImage

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


def edit_as_file(result: ArithmeticResult, encoding: Encoding) -> EncodedResponse:
    """The photograph of an expression, its mask or its image, without provenance.

    A photograph has been encoded already, as ``encoding`` says.
    """
    file = result.photograph
    if file is None:
        shown = result.image.pixels if result.mask is None else result.mask
        file = encode_pixels(shown, encoding)
    return EncodedResponse(file, f"image/{encoding.format}")


def edit_as_json(model_id: str, detail: float, result: ArithmeticResult) -> EncodedResponse:
    """The photograph or image of an expression, and what was chosen for it."""
    image, extra = result.image, {}
    if image.strength is not None:
        extra["strength"] = json.dumps(image.strength).encode()
    if result.mask is not None:
        extra["mask"] = b'"' + base64.b64encode(png.encode(result.mask)) + b'"'
    file = result.photograph or _png(model_id, detail, image)
    return _files_as_json(model_id, detail, [file], [image.latent.tolist()], [], extra)


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
    extra: Mapping[str, bytes] | None = None,
) -> EncodedResponse:
    """Image files in base64, and their latents; ``extra`` are fields with their values in JSON.

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
            *(f', "{name}": '.encode() + value for name, value in (extra or {}).items()),
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
