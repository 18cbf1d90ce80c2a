"""A trained model with fewer latent dimensions, to go on training from."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from training.analysis import batches, device_of
from training.data import Dataset
from vae.model import VAE

PICTURES = 2000  # that the rates are measured on


@torch.no_grad()
def narrowed(model: VAE, data: Dataset, latent_dim: int) -> VAE:
    """The model with only its dimensions of the highest rate; the others stay at their mean.

    The rate of a dimension is its mean KL divergence to the prior, in nats. Every encoder ends and
    every decoder begins with a dense layer, so nothing but their rows and columns has to go.

    Args:
        model: of D dimensions; it is left as it is, and is the answer if all are kept.
        data: train pictures, of which at most 2,000, evenly spaced, are encoded.
        latent_dim: how many dimensions to keep, 1 to D.
    """
    dim = model.config.latent_dim
    if latent_dim == dim:
        return model
    rate, mean = _rates(model, data)
    keep = rate.topk(latent_dim).indices.sort().values
    fixed = mean.index_fill(0, keep, 0.0)
    rows = torch.cat([keep, dim + keep])  # of the means, then of the log variances
    assert isinstance(model.encoder, nn.Sequential)
    last, first = f"encoder.{len(model.encoder) - 1}", "decoder.0"
    state = model.state_dict()
    state[f"{first}.bias"] = state[f"{first}.bias"] + state[f"{first}.weight"] @ fixed
    state[f"{first}.weight"] = state[f"{first}.weight"][:, keep]
    for name in (f"{last}.weight", f"{last}.bias"):
        state[name] = state[name][rows]
    narrow = VAE(replace(model.config, latent_dim=latent_dim)).to(device_of(model))
    narrow.load_state_dict(state)
    return narrow


def _rates(model: VAE, data: Dataset) -> tuple[Tensor, Tensor]:
    """Mean rate and mean code of each dimension, ``(D,)``."""
    seen = data.rows_at(np.arange(0, len(data), -(-len(data) // PICTURES)))
    found = [model.encode(x) for x in batches(seen, device_of(model))]
    rate = torch.cat([posterior.kl_per_dimension() for posterior in found])
    return rate.mean(0), torch.cat([posterior.mean for posterior in found]).mean(0)
