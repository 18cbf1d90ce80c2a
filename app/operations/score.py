"""How well the model explains images, and how unusual they are for it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from app.inference.engine import DecoderInput, Pixels, Posterior
from app.operations.context import Context, image_fields
from app.operations.read_images import read_images
from vae import score
from vae.gaussian import DiagonalGaussian
from vae.preprocessing import Fit


@dataclass(frozen=True)
class ImageScore:
    """The terms of the evidence lower bound of an image, see ``vae.score.ElboTerms``.

    Attributes:
        mse: mean squared error of the pixels in [0, 1].
        distortion_nats: negative log-likelihood of the pixels, given the latent.
        kl_nats: KL of the posterior to N(0, I).
        elbo_nats: the bound.
        percentile: 0..100, see ``vae.score.percentile``; None for a checkpoint without quantiles.
    """

    mse: float
    distortion_nats: float
    kl_nats: float
    elbo_nats: float
    percentile: float | None


async def score_images(context: Context, files: Sequence[bytes], fit: Fit) -> list[ImageScore]:
    """The score of each image file; always from the pixels, never from what a file carries.

    Decoded with detail 0, which is the mean of the pixels' distribution.

    Raises:
        TooManyImagesError: if there are more than one request may have.
        ImageFileTooLargeError, decoding errors, NoFaceError: as ``read_images``.
    """
    context.limits.check_count(len(files))
    images = [image.pixels for image in await read_images(context, image_fields(files), fit)]
    posteriors = await context.model.encoder.run(images, context.timing)
    draws = [DecoderInput(score.posterior_draw(p)[0]) for p in posteriors]
    decoded = await context.model.decoder.run(draws, context.timing)
    checkpoint = context.model.checkpoint
    items = list(zip(images, decoded, posteriors, strict=True))

    def work(item: tuple[Pixels, Pixels, Posterior]) -> ImageScore:
        return _score(*item, checkpoint.sigma, checkpoint.elbo_quantiles)

    return await context.image_pool.map(work, items)


def _score(
    image: Pixels,
    decoded: Pixels,
    posterior: DiagonalGaussian,
    sigma: float | None,
    quantiles: torch.Tensor | None,
) -> ImageScore:
    x, reconstruction = (torch.from_numpy(np.array(p))[None] for p in (image, decoded))
    terms = score.elbo_terms(x, reconstruction, posterior, sigma)
    elbo = terms.elbo_nats
    return ImageScore(
        mse=float(terms.mse),
        distortion_nats=float(terms.distortion_nats),
        kl_nats=float(terms.kl_nats),
        elbo_nats=float(elbo),
        percentile=None if quantiles is None else float(score.percentile(elbo, quantiles)),
    )
