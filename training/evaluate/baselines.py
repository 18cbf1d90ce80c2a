"""What a user would otherwise have: principal components, measured on the same test pictures."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from training.analysis.encoding import batches
from training.data.sources import Dataset
from training.evaluate.reconstruction import psnr

COMPONENTS = (50, 100, 128, 256, 512)
MAX_PICTURES = 4500  # whose Gram matrix is decomposed


@torch.inference_mode()
def pca(train: Dataset, test: Dataset, components: Sequence[int] = COMPONENTS) -> dict[str, float]:
    """PSNR in dB of test pictures projected on principal components of train pictures.

    At most 4,500 train pictures, evenly spaced, through the eigenvectors of their Gram matrix
    (Sirovich & Kirby, "Low-dimensional procedure for the characterization of human faces", 1987).

    Returns:
        by number of components; ``0`` is the mean picture. A number that the train pictures cannot
        give is left out.
    """
    step = -(-len(train) // MAX_PICTURES)
    chosen = train.rows_at(np.arange(0, len(train), step))
    x = torch.cat([_flat(part) for part in batches(chosen, torch.device("cpu"))])
    mean = x.mean(0)
    x -= mean
    values, vectors = torch.linalg.eigh((x @ x.T).double())
    rank = int((values > 1e-6 * values[-1]).sum())
    possible = [0, *(k for k in components if k <= rank)]
    top = max(possible)
    vectors, values = vectors.flip(1)[:, :top], values.flip(0)[:top]
    basis = (vectors / values.sqrt()).float().T @ x  # orthonormal rows
    sums = dict.fromkeys(possible, 0.0)
    for part in batches(test, torch.device("cpu")):
        truth = _flat(part)
        codes = (truth - mean) @ basis.T
        for k in possible:
            copy = (mean + codes[:, :k] @ basis[:k]).clamp(0, 1)
            sums[k] += float(psnr(copy[:, None], truth[:, None]).sum())
    return {str(k): total / len(test) for k, total in sums.items()}


def _flat(x: Tensor) -> Tensor:
    return x.flatten(1)
