"""Images of a run in progress: reconstructions and samples, least-squares and with detail."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from training.analysis.encoding import device_of, encoded_means
from training.data.dataset import Dataset
from training.report.figures import grid
from vae.checkpoint import Checkpoint
from vae.model import VAE
from vae.pixels import to_uint8

COLUMNS = 8
SAMPLE_ROWS = 2
BATCH = 32
Pixels = npt.NDArray[np.uint8]


@torch.inference_mode()
def decode_with_detail(model: VAE, z: Tensor, detail: float) -> list[Pixels]:
    """Images uint8 ``(S, S, C)`` of latents ``(N, D)`` at one detail, in order."""
    device = device_of(model)
    images: list[Pixels] = []
    for part in torch.split(z.to(device), BATCH):
        shares = torch.full((len(part),), detail, device=device)
        images += list(to_uint8(model.decode_with_detail(part, shares)).cpu().numpy())
    return images


def preview(checkpoint: Checkpoint, data: Dataset, seeds: Sequence[int] = range(16)) -> Image.Image:
    """Rows of originals, least-squares and sharp reconstructions, then of such samples in pairs.

    Args:
        checkpoint: of a model with a detail branch.
        data: whose evenly spaced images are reconstructed.
        seeds: of the samples of the fitted prior, 8 a row.
    """
    model = checkpoint.model
    chosen = data.rows_at(np.linspace(0, len(data) - 1, COLUMNS).astype(np.int64))
    means = encoded_means(model, chosen)
    rows = [list(chosen.batch(range(COLUMNS)).numpy())]
    rows += [decode_with_detail(model, means, detail) for detail in (0.0, 1.0)]
    for part in torch.split(checkpoint.sample(seeds), COLUMNS):
        rows += [decode_with_detail(model, part, detail) for detail in (0.0, 1.0)]
    return grid(rows)
