"""A trained model reduced to fewer latent dimensions, to be trained further."""

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from training.analysis.encoding import batches, device_of
from training.data.dataset import Dataset
from vae.gaussian import DiagonalGaussian
from vae.model import VAE

MAX_IMAGES = 2000  # whose posteriors give the axes


@torch.no_grad()
def reduced_by_pca(model: VAE, data: Dataset, latent_dim: int) -> VAE:
    """The model with only the first principal axes of its encoded means as latent dimensions.

    Every encoder ends and every decoder begins with a dense layer, which can include the change of
    axes: ``u = A (z - m)``, where the rows of ``A`` are the axes, scaled so that ``u`` has variance
    1 over the data as under the prior. The other axes stay at the mean. Variances are right
    to first order around the mean log-variance, without the covariances that a rotation gives them.

    Args:
        model: of D dimensions; it is not changed, and is returned itself if all are kept.
        data: train images, of which at most 2,000, evenly spaced, are encoded.
        latent_dim: how many axes to keep, 1 to D.
    """
    if latent_dim == model.config.latent_dim:
        return model
    posterior = _posteriors(model, data)
    centre, mean_logvar = posterior.mean.mean(0), posterior.logvar.mean(0)
    variances, axes = torch.linalg.eigh(torch.cov(posterior.mean.T))
    axes, variances = axes.T.flip(0)[:latent_dim], variances.flip(0)[:latent_dim]
    contributions = axes.square() * mean_logvar.exp()  # of each posterior variance to each axis
    posterior_variances = contributions.sum(1)
    scale = (variances.clamp_min(0.0) + posterior_variances).sqrt()
    rotation, shares = axes / scale[:, None], contributions / posterior_variances[:, None]
    assert isinstance(model.encoder, nn.Sequential)
    last, first = f"encoder.{len(model.encoder) - 1}", "decoder.0"
    state = model.state_dict()
    (means, logvars), (mean, logvar) = (state[f"{last}.{k}"].chunk(2) for k in ("weight", "bias"))
    state[f"{last}.weight"] = torch.cat([rotation @ means, shares @ logvars])
    new_logvar = (posterior_variances / scale.square()).log() + shares @ (logvar - mean_logvar)
    state[f"{last}.bias"] = torch.cat([rotation @ (mean - centre), new_logvar])
    weight = state[f"{first}.weight"]
    state[f"{first}.weight"] = weight @ (axes.T * scale)
    state[f"{first}.bias"] = state[f"{first}.bias"] + weight @ centre
    reduced = VAE(replace(model.config, latent_dim=latent_dim)).to(device_of(model))
    reduced.load_state_dict(state)
    return reduced


def _posteriors(model: VAE, data: Dataset) -> DiagonalGaussian:
    """The posteriors ``(N, D)`` of at most ``MAX_IMAGES`` images."""
    sample = data.rows_at(np.arange(0, len(data), -(-len(data) // MAX_IMAGES)))
    parts = [model.encode(x) for x in batches(sample, device_of(model))]
    return DiagonalGaussian(
        torch.cat([part.mean for part in parts]), torch.cat([part.logvar for part in parts])
    )
