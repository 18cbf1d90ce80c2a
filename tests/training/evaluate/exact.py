"""A model whose latents are images: arithmetic on latents is arithmetic on pixels."""

import torch
from torch import Tensor

from vae.checkpoint import Checkpoint
from vae.config import Output, VAEConfig
from vae.directions import Direction
from vae.gaussian import DiagonalGaussian
from vae.model import VAE
from vae.prior import LatentStatistics

SIZE = 12
PIXELS = SIZE * SIZE
PERFECT = 100.0  # dB, the largest value of psnr


class Exact(VAE):
    """Encodes an image as its pixels."""

    def __init__(self, output: Output = "clamp") -> None:
        super().__init__(VAEConfig("mlp", 1, SIZE, latent_dim=PIXELS, output=output, hidden=1))

    def encode(self, x: Tensor) -> DiagonalGaussian:
        flat = x.flatten(1)
        return DiagonalGaussian(flat, torch.full_like(flat, -30.0))

    def decode_logits(self, z: Tensor) -> Tensor:
        return z.reshape(-1, 1, SIZE, SIZE) - 0.5


def checkpoint(model: VAE, sigma: float | None = 0.1, **directions: Direction) -> Checkpoint:
    dim = model.config.latent_dim
    nowhere = LatentStatistics(torch.zeros(dim), torch.zeros(dim, dim))
    return Checkpoint(model, nowhere, directions, sigma)
