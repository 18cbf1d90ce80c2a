"""From latents to images."""

from collections.abc import Sequence
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


async def decode(context: Context, latents: Sequence[Sequence[float]]) -> list[DecodedImage]:
    """The image of each latent of D values.

    Raises:
        TooManyImagesError: if there are more than one request may have.
        OperandError: if a latent does not fit the model.
    """
    context.limits.check_count(len(latents))
    checked = [
        checked_latent(values, context.model.dim, ("latents", i))
        for i, values in enumerate(latents)
    ]
    return await decode_latents(context, checked)


async def decode_latents(context: Context, latents: Sequence[Tensor]) -> list[DecodedImage]:
    """The image of each latent ``(D,)``, with the detail of the request."""
    inputs = [DecoderInput(z, context.detail) for z in latents]
    pixels = await context.model.decoder.run(inputs, context.timing)
    return [DecodedImage(p, z) for p, z in zip(pixels, latents, strict=True)]
