"""A trained model with fewer latent dimensions, to go on training from."""

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from training.analysis.statistics import batches, device_of
from training.data.dataset import Dataset
from vae.gaussian import DiagonalGaussian
from vae.model import VAE

PICTURES = 2000  # whose codes give the axes


@torch.no_grad()
def reduced_by_pca(model: VAE, data: Dataset, latent_dim: int) -> VAE:
    """The model with only the first principal axes of its encoded means as latent dimensions.

    Every encoder ends and every decoder begins with a dense layer, which takes in the change of
    axes: ``u = A (z - m)``, where the rows of ``A`` are the axes, scaled so that ``u`` varies by 1
    over the data as under the prior. The axes that are left out stay at the mean. Variances follow
    to first order around the mean log-variance, without the covariances that a rotation gives them.

    Args:
        model: of D dimensions; it is left as it is, and is the answer if all are kept.
        data: train pictures, of which at most 2,000, evenly spaced, are encoded.
        latent_dim: how many axes to keep, 1 to D.
    """
    if latent_dim == model.config.latent_dim:
        return model
    codes = _codes(model, data)
    centre, middle = codes.mean.mean(0), codes.logvar.mean(0)
    variances, axes = torch.linalg.eigh(torch.cov(codes.mean.T))
    axes, variances = axes.T.flip(0)[:latent_dim], variances.flip(0)[:latent_dim]
    inside = axes.square() * middle.exp()  # what each variance of a posterior adds along each axis
    along = inside.sum(1)
    scale = (variances.clamp_min(0.0) + along).sqrt()
    change, shares = axes / scale[:, None], inside / along[:, None]
    assert isinstance(model.encoder, nn.Sequential)
    last, first = f"encoder.{len(model.encoder) - 1}", "decoder.0"
    state = model.state_dict()
    (means, logvars), (mean, logvar) = (state[f"{last}.{k}"].chunk(2) for k in ("weight", "bias"))
    state[f"{last}.weight"] = torch.cat([change @ means, shares @ logvars])
    spread = (along / scale.square()).log() + shares @ (logvar - middle)
    state[f"{last}.bias"] = torch.cat([change @ (mean - centre), spread])
    weight = state[f"{first}.weight"]
    state[f"{first}.weight"] = weight @ (axes.T * scale)
    state[f"{first}.bias"] = state[f"{first}.bias"] + weight @ centre
    narrow = VAE(replace(model.config, latent_dim=latent_dim)).to(device_of(model))
    narrow.load_state_dict(state)
    return narrow


def _codes(model: VAE, data: Dataset) -> DiagonalGaussian:
    seen = data.rows_at(np.arange(0, len(data), -(-len(data) // PICTURES)))
    found = [model.encode(x) for x in batches(seen, device_of(model))]
    return DiagonalGaussian(
        torch.cat([posterior.mean for posterior in found]),
        torch.cat([posterior.logvar for posterior in found]),
    )
