"""How close reconstructions are to their originals as photographs: features and fine structure."""

import torch
from torch import Tensor

from training.analysis.encoding import batches, device_of
from training.analysis.features import Backbone
from training.data.dataset import Dataset
from training.evaluate.kernel_distance import (
    BLOCK,
    eye_features,
    face_features,
    kernel_distance,
)
from training.evaluate.sharpness import high_pass_share
from vae.checkpoint import Checkpoint


@torch.inference_mode()
def realism(checkpoint: Checkpoint, test: Dataset) -> dict[str, float]:
    """Figures of the reconstructions of aligned faces.

    Args:
        checkpoint: of a model of RGB images.
        test: what is reconstructed.

    Returns:
        ``high_pass_share``, see ``training.evaluate.sharpness``; with at least two blocks of
        images also ``kid_faces`` and ``kid_eyes``, kernel distances of whole images and of the
        eyes, each with its standard error (``..._error``).
    """
    model = checkpoint.model
    originals = [x.cpu() for x in batches(test, device_of(model))]
    made: list[Tensor] = [
        model.decode(model.encode(x).mean).cpu() for x in batches(test, device_of(model))
    ]
    figures = {"high_pass_share": high_pass_share(torch.cat(made), torch.cat(originals))}
    if len(test) < 2 * BLOCK:
        return figures
    network = Backbone().eval()
    for name, features in (("kid_faces", face_features), ("kid_eyes", eye_features)):
        distance = kernel_distance(features(network, originals), features(network, made), BLOCK)
        figures |= {name: distance.mean, f"{name}_error": distance.standard_error}
    return figures
