"""From latents to images."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from torch import Tensor

from app.inference.engine import DecoderInput, Pixels
from app.operations.context import Context
from app.operations.operands import checked_latent


@dataclass(frozen=True)
class DecodedImage:
    """An image that the model made.

    Attributes:
        pixels: uint8 ``(S, S, C)``.
        latent: ``(D,)``, of which it is the decode.
        seed: of a sample; None for other images.
        strength: that was chosen for this image; None for other images.
    """

    pixels: Pixels
    latent: Tensor
    seed: int | None = None
    strength: float | None = None


@dataclass(frozen=True)
class PlannedImage:
    """An image of a response before it is decoded.

    Attributes:
        latent: ``(D,)``.
        seed: of a sample; None for other images.
        pixels: uint8 ``(S, S, C)`` of an image that was sent, which is not decoded; else None.
    """

    latent: Tensor
    seed: int | None = None
    pixels: Pixels | None = None


async def decode(context: Context, latents: Sequence[Sequence[float]]) -> list[PlannedImage]:
    """The image of each latent of D values.

    Raises:
        TooManyImagesError: if there are more than one request may have.
        OperandError: if a latent does not fit the model.
    """
    context.limits.check_count(len(latents))
    return [
        PlannedImage(checked_latent(values, context.model.dim, ("latents", i)))
        for i, values in enumerate(latents)
    ]


async def decode_all(context: Context, planned: Sequence[PlannedImage]) -> list[DecodedImage]:
    """The images, decoded with the detail of the request."""
    inputs = _inputs(context, planned)
    decoded = iter(await context.model.decoder.run(inputs, context.timing) if inputs else [])
    return [
        _image(image, next(decoded) if image.pixels is None else image.pixels) for image in planned
    ]


async def decode_in_order(
    context: Context, planned: Sequence[PlannedImage], first: int
) -> AsyncGenerator[DecodedImage, None]:
    """The images, each as soon as it and those before it are decoded; see ``Batcher.stream``.

    None comes before the first is decoded: what is refused is refused before a response begins.

    Args:
        context: of the request.
        planned: the images.
        first: images that are needed together, before the others.
    """
    inputs = _inputs(context, planned)
    async with aclosing(context.model.decoder.stream(inputs, context.timing, first)) as decoded:
        ready = [await anext(decoded)] if inputs else []
        for image in planned:
            pixels = image.pixels
            if pixels is None:
                pixels = ready.pop() if ready else await anext(decoded)
            yield _image(image, pixels)


async def decode_latents(context: Context, latents: Sequence[Tensor]) -> list[DecodedImage]:
    """The image of each latent ``(D,)``, with the detail of the request."""
    return await decode_all(context, list(map(PlannedImage, latents)))


def _inputs(context: Context, planned: Sequence[PlannedImage]) -> list[DecoderInput]:
    return [DecoderInput(i.latent, context.detail) for i in planned if i.pixels is None]


def _image(planned: PlannedImage, pixels: Pixels) -> DecodedImage:
    return DecodedImage(pixels, planned.latent, planned.seed)
