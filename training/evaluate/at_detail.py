"""A model at one value of detail, for every figure that knows ``decode`` alone."""

from dataclasses import replace

import torch
from torch import Tensor

from vae.checkpoint import Checkpoint
from vae.model import VAE


class VAEAtDetail(VAE):
    """A model whose ``decode`` draws every image at the same detail; its weights are the model's.

    Args:
        model: with a detail branch.
        detail: in [0, 1].
    """

    def __init__(self, model: VAE, detail: float) -> None:
        with torch.device("meta"):  # for the structure; the networks are replaced
            super().__init__(model.config)
        self.encoder, self.decoder, self.detail = model.encoder, model.decoder, model.detail
        self._detail = detail
        self.train(model.training)

    def decode(self, z: Tensor) -> Tensor:
        """Images ``(N, C, S, S)`` in [0, 1] of latents ``(N, D)``."""
        return self.decode_with_detail(z, torch.full((len(z),), self._detail, device=z.device))


def at_detail(checkpoint: Checkpoint, detail: float) -> Checkpoint:
    """The same checkpoint, its model at this detail."""
    return replace(checkpoint, model=VAEAtDetail(checkpoint.model, detail))
