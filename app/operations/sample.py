"""Images of latents that are drawn from the prior."""

import secrets
from typing import Literal

from app.operations.context import Context
from app.operations.decode import PlannedImage
from app.operations.operands import MAX_SEED
from vae import latent

Prior = Literal["fitted", "standard"]


async def sample(
    context: Context, n: int, seed: int | None, temperature: float, prior: Prior
) -> list[PlannedImage]:
    """``n`` images, each with its seed.

    Args:
        context: of the request.
        n: images, at least 1.
        seed: of the first image, 0..``MAX_SEED`` - n + 1; the others count up. None draws one.
        temperature: scale of the noise.
        prior: ``fitted`` to the encoded training set, or ``standard`` normal.

    Raises:
        TooManyImagesError: if there are more than one request may have.
    """
    context.limits.check_count(n)
    first = secrets.randbelow(MAX_SEED - n + 2) if seed is None else seed
    seeds = range(first, first + n)
    if prior == "fitted":
        z = context.model.checkpoint.sample(seeds, temperature)
    else:
        z = temperature * latent.seeded_noise(seeds, context.model.dim)
    return [PlannedImage(row, seed) for row, seed in zip(z, seeds, strict=True)]
