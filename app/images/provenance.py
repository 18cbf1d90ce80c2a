"""What a PNG of ours carries about itself, in a text chunk: its model, latent and seed."""

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
    """The origin of a picture.

    Attributes:
        model: ``NAME@SHA256-12`` of the model that drew it.
        latent: float32 ``(D,)``.
        seed: of the sample, or None.
    """

    model: str
    latent: npt.NDArray[np.float32]
    seed: int | None = None


def write(origin: ImageProvenance, pixels: npt.NDArray[np.uint8]) -> dict[str, str]:
    """The text chunk for a picture, by keyword."""
    latent = np.ascontiguousarray(origin.latent, dtype="<f4")
    fields = {
        "model": origin.model,
        "latent": base64.b64encode(latent.tobytes()).decode(),
        "pixels": _checksum(pixels),
    }
    if origin.seed is not None:
        fields["seed"] = origin.seed
    return {KEYWORD: json.dumps(fields)}


def read(text: object, pixels: npt.NDArray[np.uint8]) -> ImageProvenance | None:
    """The origin in a text chunk, or None where there is none that belongs to these pixels.

    A picture that was edited since keeps its chunk in some programs; the checksum tells.
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
