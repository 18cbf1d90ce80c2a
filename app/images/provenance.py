"""How an image of this service was made, in a text chunk of its PNG."""

import base64
import binascii
import json
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

KEYWORD = "lorgnette"


@dataclass(frozen=True)
class ImageProvenance:
    """How an image was made.

    Attributes:
        model: ``NAME@SHA256-12`` of the model that decoded it.
        latent: float32 ``(D,)`` that it is the decode of.
        seed: of the sample, or None.
    """

    model: str
    latent: npt.NDArray[np.float32]
    seed: int | None = None


def write(
    provenance: ImageProvenance, pixels: npt.NDArray[np.uint8], detail: float
) -> dict[str, str]:
    """The text chunk of an image, by keyword.

    Args:
        provenance: of the image.
        pixels: the image, uint8; the chunk holds their checksum.
        detail: 0..1, with which it was decoded; for the reader only.
    """
    latent = np.ascontiguousarray(provenance.latent, dtype="<f4")
    fields = {
        "model": provenance.model,
        "latent": base64.b64encode(latent.tobytes()).decode(),
        "detail": detail,
        "pixels": _checksum(pixels),
    }
    if provenance.seed is not None:
        fields["seed"] = provenance.seed
    return {KEYWORD: json.dumps(fields)}


def read(text: object, pixels: npt.NDArray[np.uint8]) -> ImageProvenance | None:
    """The provenance in a text chunk, or None if there is none that belongs to these pixels.

    Some programs keep the chunk when they edit an image; the checksum tells.
    """
    if not isinstance(text, str):
        return None
    try:
        fields = json.loads(text)
        if fields["pixels"] != _checksum(pixels):
            return None
        latent = np.frombuffer(base64.b64decode(fields["latent"], validate=True), "<f4")
        seed = fields.get("seed")
        return ImageProvenance(
            str(fields["model"]), latent, seed if isinstance(seed, int) else None
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error):
        return None


def _checksum(pixels: npt.NDArray[np.uint8]) -> int:
    return zlib.crc32(np.ascontiguousarray(pixels).data)
