"""Results as the bytes of a response: image file, JSON or npy. To be called on an image thread."""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from app.http.negotiation import JSON, NPY, PNG
from app.http.output import Output
from app.images import png, provenance
from app.images.contact_sheet import contact_sheet
from app.images.encoding import encode_pixels
from app.images.resizing import resized
from app.inference.engine import Posterior
from app.operations.arithmetic import ArithmeticResult
from app.operations.decode import DecodedImage, PlannedImage
from app.operations.score import ImageScore


@dataclass(frozen=True)
class EncodedResponse:
    """The body of a response and its media type."""

    body: bytes
    media_type: str


@dataclass(frozen=True)
class ImageSource:
    """What the images of a response have in common.

    Attributes:
        model_id: ``NAME@SHA256-12`` of the model that made them.
        detail: 0..1, with which they were decoded.
        output: how they are drawn.
    """

    model_id: str
    detail: float
    output: Output

    def png_file(self, image: DecodedImage) -> bytes:
        """The image as a PNG, with its provenance if it has the model's own size."""
        if self.output.size is not None:
            return png.encode(resized(image.pixels, self.output.size))
        origin = provenance.ImageProvenance(self.model_id, image.latent.numpy(), image.seed)
        return png.encode(image.pixels, provenance.write(origin, image.pixels, self.detail))


def edit_as_file(source: ImageSource, result: ArithmeticResult) -> EncodedResponse:
    """The photograph of an expression, its mask or its image.

    A photograph has been encoded already. Only a PNG of the image has provenance.
    """
    file, output = result.photograph, source.output
    if file is None and result.mask is None:
        return images_as_file(source, [result.image], None)
    if file is None and result.mask is not None:
        file = encode_pixels(resized(result.mask, output.size), output.encoding)
    assert file is not None
    return EncodedResponse(file, output.media_type)


def edit_as_json(source: ImageSource, result: ArithmeticResult) -> EncodedResponse:
    """The photograph or image of an expression, and what was chosen for it."""
    image, extra = result.image, {}
    if image.strength is not None:
        extra["strength"] = json.dumps(image.strength).encode()
    if result.mask is not None:
        mask = png.encode(resized(result.mask, source.output.size))
        extra["mask"] = b'"' + base64.b64encode(mask) + b'"'
    file = result.photograph or source.png_file(image)
    return _files_as_json(source, [file], [image.latent.tolist()], [], extra)


def images_as_file(
    source: ImageSource, images: Sequence[DecodedImage], columns: int | None
) -> EncodedResponse:
    """One image, or several as one contact sheet; one PNG has its provenance in a text chunk."""
    output = source.output
    if len(images) == 1 and output.media_type == PNG:
        return EncodedResponse(source.png_file(images[0]), PNG)
    sheet = contact_sheet([image.pixels for image in images], columns, output.size)
    return EncodedResponse(encode_pixels(sheet, output.encoding), output.media_type)


def images_as_json(source: ImageSource, images: Sequence[DecodedImage]) -> EncodedResponse:
    """Every image as a base64 PNG with its provenance, and the latents."""
    files = [source.png_file(image) for image in images]
    seeds = [image.seed for image in images if image.seed is not None]
    return _files_as_json(source, files, [image.latent.tolist() for image in images], seeds)


def _files_as_json(
    source: ImageSource,
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
            json.dumps(source.model_id).encode(),
            b', "detail": ',
            json.dumps(source.detail).encode(),
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


def scores_as_json(model_id: str, scores: Sequence[ImageScore]) -> EncodedResponse:
    """The score of every image."""
    body = {"model": model_id, "scores": list(map(asdict, scores))}
    return EncodedResponse(json.dumps(body).encode(), JSON)


def posteriors_as_npy(posteriors: Sequence[Posterior]) -> EncodedResponse:
    """The means, float32 ``(N, D)``."""
    return _as_npy(np.concatenate([p.mean.numpy() for p in posteriors]))


def latents_as_npy(planned: Sequence[PlannedImage]) -> EncodedResponse:
    """The latents of images, float32 ``(N, D)``."""
    return _as_npy(np.stack([image.latent.numpy() for image in planned]))


def _as_npy(latents: npt.NDArray[np.float32]) -> EncodedResponse:
    stream = io.BytesIO()
    np.save(stream, latents.astype("<f4"), allow_pickle=False)
    return EncodedResponse(stream.getvalue(), NPY)
