import hashlib
import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from tests.vae.faces.conftest import WEIGHTS
from vae.checkpoint import CheckpointError
from vae.faces.detector import FORMAT, load
from vae.faces.networks import OutputNetwork, ProposalNetwork, RefineNetwork

FILE = "model.safetensors"


@pytest.mark.parametrize("network", [ProposalNetwork, RefineNetwork, OutputNetwork])
def test_parameters_are_as_many_as_documented(network: type[nn.Module]) -> None:
    count = sum(p.numel() for p in network().parameters())
    assert f"{count:,} parameters" in (network.__doc__ or "")


def test_a_proposal_is_made_for_every_window() -> None:
    scores, offsets = ProposalNetwork()(torch.zeros(2, 3, 12, 32))
    assert scores.shape == (2, 1, 1, 11)
    assert offsets.shape == (2, 4, 1, 11)


def test_the_weights_are_those_of_their_readme() -> None:
    text = (WEIGHTS / "README.md").read_text()
    digest = hashlib.sha256((WEIGHTS / FILE).read_bytes()).hexdigest()
    assert f"| SHA-256 of `{FILE}` | `{digest}` |" in text
    total = sum(tensor.numel() for tensor in load_file(WEIGHTS / FILE).values())
    assert f"{total:,} parameters" in text
    assert re.search(r"\bMIT License\b", text)


def test_weights_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        load(tmp_path)
    (tmp_path / FILE).write_bytes((WEIGHTS / FILE).read_bytes()[:-10])
    with pytest.raises(CheckpointError, match="truncated"):
        load(tmp_path)
    tensors = load_file(WEIGHTS / FILE)
    save_file(tensors, tmp_path / FILE)
    with pytest.raises(CheckpointError, match="not the weights of a face detector"):
        load(tmp_path)
    del tensors["refine.box.bias"]
    save_file(tensors, tmp_path / FILE, {"format": FORMAT})
    with pytest.raises(CheckpointError, match=r"refine\.box\.bias"):
        load(tmp_path)
    shutil.copy(WEIGHTS / FILE, tmp_path / FILE)
    load(tmp_path)
