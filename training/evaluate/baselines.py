"""A baseline without a network: principal components, measured on the same test images."""

from collections.abc import Sequence

import torch

from training.analysis.encoding import batches
from training.data.dataset import Dataset
from training.evaluate.reconstruction import psnr

COMPONENTS = (50, 100, 128, 256, 512)
MAX_IMAGES = 4500  # whose Gram matrix is decomposed


@torch.inference_mode()
def pca(train: Dataset, test: Dataset, components: Sequence[int] = COMPONENTS) -> dict[str, float]:
    """PSNR in dB of test images projected on principal components of train images.

    At most 4,500 train images, evenly spaced, through the eigenvectors of their Gram matrix
    (Sirovich & Kirby, "Low-dimensional procedure for the characterization of human faces", 1987).

    Returns:
        by number of components; ``0`` is the mean image. A number that the train images cannot
        give is left out.
    """
    cpu = torch.device("cpu")
    x = torch.cat([part.flatten(1) for part in batches(train.evenly_spaced(MAX_IMAGES), cpu)])
    mean = x.mean(0)
    x -= mean
    values, vectors = torch.linalg.eigh((x @ x.T).double())
    rank = int((values > 1e-6 * values[-1]).sum())
    possible = [0, *(k for k in components if k <= rank)]
    top = max(possible)
    vectors, values = vectors.flip(1)[:, :top], values.flip(0)[:top]
    basis = (vectors / values.sqrt()).float().T @ x  # orthonormal rows
    sums = dict.fromkeys(possible, 0.0)
    for part in batches(test, cpu):
        images = part.flatten(1)
        scores = (images - mean) @ basis.T
        for k in possible:
            projection = (mean + scores[:, :k] @ basis[:k]).clamp(0, 1)
            sums[k] += float(psnr(projection[:, None], images[:, None]).sum())
    return {str(k): total / len(test) for k, total in sums.items()}
