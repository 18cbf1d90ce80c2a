"""Filling in the unknown part of an image: draws of its latent given the known pixels."""

import secrets
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from app.inference.engine import DecoderInput, Pixels
from app.inference.loaded_model import LoadedModel
from app.operations.context import Context
from app.operations.decode import PlannedImage
from app.operations.mask import Mask, read_unknown
from app.operations.operands import MAX_SEED
from app.operations.pixels import to_pixels, to_tensor
from app.operations.read_images import read_images
from vae.inpaint import filled, latent_posterior
from vae.latent import seeded_noise
from vae.pixel_regression import PixelRegression
from vae.preprocessing import Fit


class InpaintingError(Exception):
    """Inpainting was requested of a model whose checkpoint lacks what it needs."""


@dataclass(frozen=True)
class Draws:
    """Which draws of the latent are made.

    Attributes:
        n: draws, at least 1.
        seed: of the first, 0..``MAX_SEED`` - n + 1; the others count up. None draws one.
        temperature: scale of the noise; 0 gives the mean.
    """

    n: int
    seed: int | None
    temperature: float


async def inpaint(
    context: Context, image: bytes, mask: bytes, draws: Draws, fit: Fit
) -> list[PlannedImage]:
    """Images with the known pixels of one, each with its seed.

    Their latents are draws given the known pixels, see ``vae.inpaint``. Their decodes are batched
    with those of other requests, and fill in the unknown part.

    Args:
        context: of the request.
        image: file of the image.
        mask: file of its mask, see ``read_unknown``.
        draws: which are made.
        fit: how an image that is not square and not aligned is fitted.

    Raises:
        InpaintingError: if the checkpoint has no pixel regression.
        TooManyImagesError: if there are more than one request may have.
        OperandError: if the mask does not fit, see ``read_unknown``.
        ImageFileTooLargeError, decoding errors, NoFaceError: as ``read_images``.
    """
    context.limits.check_count(draws.n)
    regression = _regression(context.model)
    first = secrets.randbelow(MAX_SEED - draws.n + 2) if draws.seed is None else draws.seed
    seeds = range(first, first + draws.n)
    field = (("image",), image)
    [original] = await read_images(context, [field], fit)
    unknown = await read_unknown(context, field, (("mask",), mask), original.transform)

    def latents() -> Tensor:
        statistics = context.model.checkpoint.statistics
        known = to_tensor(original.pixels), _to_mask(unknown)
        posterior = latent_posterior(*known, statistics, regression)
        return posterior.sample(seeded_noise(seeds, context.model.dim), draws.temperature)

    rows = await context.image_pool.run(latents)
    inputs = [DecoderInput(row, context.detail) for row in rows]
    decoded = await context.model.decoder.run(inputs, context.timing)
    pixels = await context.image_pool.map(partial(_filled, original.pixels, unknown), decoded)
    return [PlannedImage(*made) for made in zip(rows, seeds, pixels, strict=True)]


def _regression(model: LoadedModel) -> PixelRegression:
    regression = model.checkpoint.pixel_regression
    if regression is None:
        raise InpaintingError(
            f"the checkpoint of {model.name!r} has no pixel regression, which inpainting needs; "
            "`python -m training image-statistics` adds it"
        )
    return regression


def _filled(original: Pixels, unknown: Mask, decoded: Pixels) -> Pixels:
    return to_pixels(filled(to_tensor(original), to_tensor(decoded), _to_mask(unknown)))


def _to_mask(unknown: Mask) -> Tensor:
    """Float32 ``(1, 1, S, S)``."""
    return torch.from_numpy(unknown).float()[None, None]
