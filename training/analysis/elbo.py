"""The evidence lower bound of images, as the service computes it."""

import torch
from torch import Tensor

from training.analysis.encoding import batches, device_of
from training.data.dataset import Dataset
from vae.checkpoint import Checkpoint
from vae.pixels import to_uint8
from vae.score import elbo_terms, posterior_draw


@torch.inference_mode()
def elbo_of(checkpoint: Checkpoint, data: Dataset) -> Tensor:
    """The bound of each image in nats, ``(N,)`` in float64 on the CPU.

    Of 8-bit decodes with detail 0, and one draw of each posterior: see ``vae.score``.
    """
    model = checkpoint.model
    found = []
    for x in batches(data, device_of(model)):
        posterior = model.encode(x)
        decoded = to_uint8(model.decode(posterior_draw(posterior)))
        terms = elbo_terms(to_uint8(x), decoded, posterior, checkpoint.sigma)
        found.append(terms.elbo_nats.cpu())
    return torch.cat(found)
