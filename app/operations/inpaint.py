"""Filling in the unknown part of an image: draws of its latent given the known pixels."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from app.inference.engine import DecoderInput, Pixels
from app.operations.context import Context
from app.operations.decode import PlannedImage
from app.operations.mask import Mask, read_unknown
from app.operations.operands import MAX_SEED
from app.operations.pixels import to_pixels, to_tensor
from app.operations.read_images import read_images
from vae import inpaint as filling
from vae.latent import seeded_noise
from vae.preprocessing import Fit

STEPS = 8  # encoder calls after the first
RESERVED = 2  # times the longest step: a further one, and the images themselves


@dataclass(frozen=True)
class Inpainting:
    """Images whose unknown part is filled in.

    Attributes:
        images: one a seed.
        steps: of the chain; fewer than ``STEPS`` where the deadline of the request was near.
    """

    images: list[PlannedImage]
    steps: int


async def inpaint(
    context: Context, image: bytes, mask: bytes, *, n: int, seed: int | None, fit: Fit
) -> Inpainting:
    """``n`` images with the known pixels of one, each with its seed.

    A pseudo-Gibbs chain, see ``vae.inpaint``: the unknown part is filled in by the decode of a draw
    of the encoder's posterior, again and again. Each encoder and decoder call is batched with those
    of other requests.

    Args:
        context: of the request.
        image: file of the image.
        mask: file of its mask, see ``read_unknown``.
        n: images, at least 1.
        seed: of the first image, 0..``MAX_SEED`` - n + 1; the others count up. None draws one.
        fit: how an image that is not square and not aligned is fitted.

    Raises:
        TooManyImagesError: if there are more than one request may have.
        OperandError: if the mask does not fit, see ``read_unknown``.
        ImageFileTooLargeError, decoding errors, NoFaceError: as ``read_images``.
    """
    context.limits.check_count(n)
    first = secrets.randbelow(MAX_SEED - n + 2) if seed is None else seed
    seeds = range(first, first + n)
    field = (("image",), image)
    [original] = await read_images(context, [field], fit)
    unknown = await read_unknown(context, field, (("mask",), mask), original.transform)
    latents, steps = await _chain(context, original.pixels, unknown, seeds)
    inputs = [DecoderInput(z, context.detail) for z in latents]
    decoded = await context.model.decoder.run(inputs, context.timing)
    pixels = await context.image_pool.map(partial(_filled, original.pixels, unknown), decoded)
    images = [PlannedImage(*made) for made in zip(latents, seeds, pixels, strict=True)]
    return Inpainting(images, steps)


def _combined(original: Pixels, unknown: Mask, decoded: Sequence[Pixels]) -> list[Pixels]:
    return [np.where(unknown[..., None], pixels, original) for pixels in decoded]


def _filled(original: Pixels, unknown: Mask, decoded: Pixels) -> Pixels:
    mask = torch.from_numpy(unknown).float()[None, None]
    return to_pixels(filling.filled(to_tensor(original), to_tensor(decoded), mask))


async def _chain(
    context: Context, original: Pixels, unknown: Mask, seeds: Sequence[int]
) -> tuple[list[Tensor], int]:
    """A latent ``(D,)`` for each seed, and the number of steps of the chain."""
    loop = asyncio.get_running_loop()
    dim = context.model.dim
    noise = seeded_noise(seeds, (STEPS + 1) * dim).reshape(-1, STEPS + 1, dim)
    latents = list(context.model.checkpoint.sample(seeds))
    longest = 0.0
    for step in range(STEPS + 1):
        started = loop.time()
        decoded = await context.model.decoder.run(list(map(DecoderInput, latents)), context.timing)
        images = await context.image_pool.run(partial(_combined, original, unknown, decoded))
        posteriors = await context.model.encoder.run(images, context.timing)
        latents = [filling.draw(p, eps[step]) for p, eps in zip(posteriors, noise, strict=True)]
        longest = max(longest, loop.time() - started)
        if loop.time() + RESERVED * longest > context.deadline:
            break
    return latents, step
