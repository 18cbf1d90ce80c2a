"""How even the steps along paths between latents are."""

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from training.analysis.encoding import device_of
from vae import latent
from vae.model import VAE

PATHS = 60
PATH_STEPS = 16


@torch.inference_mode()
def smoothness(model: VAE, means: Tensor) -> float:
    """Largest over mean step along paths of 16 images, in root mean square of pixels.

    Args:
        model: that decodes.
        means: of images, ``(N, D)``; paths go from each of the first 60 to the next.
    """
    ratios = []
    for a, b in list(pairwise(means))[:PATHS]:
        x = model.decode(latent.path(a, b, PATH_STEPS).to(device_of(model)))
        steps = (x[1:] - x[:-1]).square().flatten(1).mean(1).sqrt()
        ratios.append(float(steps.max() / steps.mean().clamp_min(1e-12)))
    return float(np.mean(ratios))
