"""From the images, latents and seeds of a request to latents and pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from app.images.alignment import Transform
from app.images.decoding import InputImage
from app.images.provenance import ImageProvenance
from app.inference.engine import Pixels
from app.inference.loaded_model import LoadedModel
from app.operations.context import Context, FieldPath
from app.operations.read_images import read_images
from vae.preprocessing import Fit

MAX_SEED = 2**53 - 1  # the largest integer that every JSON reader keeps exact
MAX_LATENT_VALUE = 1e6


class OperandError(Exception):
    """A request whose operands do not fit the model or the expression.

    Attributes:
        path: to the wrong field, such as ``("operands", "her", 0, "latent")``.
    """

    def __init__(self, path: FieldPath, detail: str) -> None:
        super().__init__(detail)
        self.path = path


@dataclass(frozen=True)
class Operand:
    """An image file, a latent of D values or a seed: exactly one of them is set."""

    image: bytes | None = None
    latent: Sequence[float] | None = None
    seed: int | None = None


@dataclass(frozen=True)
class ResolvedOperand:
    """An operand as the model sees it.

    Attributes:
        latent: ``(D,)``.
        pixels: uint8 ``(S, S, C)`` of an image; None for a latent or a seed.
        transform: of an image, from pixels of the upright image that was sent to ``pixels``; None
            for a latent or a seed.
    """

    latent: Tensor
    pixels: Pixels | None = None
    transform: Transform | None = None


async def resolve(
    context: Context, operands: Sequence[tuple[FieldPath, Operand]], fit: Fit, embedded: bool
) -> list[ResolvedOperand]:
    """The latent of each operand, and the pixels of each image, in order.

    Args:
        context: of the request.
        operands: each with its path in the request.
        fit: how images that are not square are fitted.
        embedded: whether an image of this model is read by the latent that it carries.

    Raises:
        OperandError: if a latent does not fit the model.
        ImageFileTooLargeError, decoding errors, NoFaceError: as ``read_images``.
    """
    given = [_given_latent(context.model, path, operand) for path, operand in operands]
    files = [
        ((*path, "image"), operand.image) for path, operand in operands if operand.image is not None
    ]
    images = await read_images(context, files, fit)
    latents = await encode_images(context, images, embedded)
    from_images = iter(
        [
            ResolvedOperand(z, image.pixels, image.transform)
            for z, image in zip(latents, images, strict=True)
        ]
    )
    return [next(from_images) if z is None else ResolvedOperand(z) for z in given]


async def encode_images(
    context: Context, images: Sequence[InputImage], embedded: bool
) -> list[Tensor]:
    """The latent ``(D,)`` of each image: the one that it carries, or its encoded mean."""
    carried = [
        _embedded_latent(context.model, image.provenance) if embedded else None for image in images
    ]
    pixels = [image.pixels for image, z in zip(images, carried, strict=True) if z is None]
    encoded = iter(await context.model.encoder.run(pixels, context.timing) if pixels else [])
    return [next(encoded).mean[0] if z is None else z for z in carried]


def checked_latent(values: Sequence[float], dim: int, path: FieldPath) -> Tensor:
    """A latent of a request as a float32 tensor ``(dim,)``.

    Raises:
        OperandError: at ``path``, if it has another length or a value beyond
            ``MAX_LATENT_VALUE``.
    """
    if len(values) != dim:
        raise OperandError(path, f"the latent has {len(values)} values; this model has {dim}")
    tensor = torch.tensor(values, dtype=torch.float32)
    if not (tensor.abs() <= MAX_LATENT_VALUE).all():  # false for NaN too
        raise OperandError(
            path, f"a value of the latent is not a number within +-{MAX_LATENT_VALUE:.0f}"
        )
    return tensor


def _given_latent(model: LoadedModel, path: FieldPath, operand: Operand) -> Tensor | None:
    """The latent that is sent or drawn by its seed; None for an image."""
    if operand.latent is not None:
        return checked_latent(operand.latent, model.dim, (*path, "latent"))
    if operand.seed is not None:
        return model.checkpoint.sample([operand.seed])[0]
    return None


def _embedded_latent(model: LoadedModel, provenance: ImageProvenance | None) -> Tensor | None:
    """The latent that an image of this very model carries, checked like any other."""
    if provenance is None or provenance.model != model.id:
        return None
    try:
        return checked_latent(provenance.latent.tolist(), model.dim, ())
    except OperandError:
        return None
