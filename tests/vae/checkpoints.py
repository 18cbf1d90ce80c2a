"""A small checkpoint with every part, and what is asserted of its file."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from vae.checkpoint import Checkpoint, CheckpointError, load
from vae.config import VAEConfig
from vae.directions import Direction, WithinLabelSubspace
from vae.latent import seeded_noise
from vae.model import VAE
from vae.prior import LatentStatistics

DIM = 3
CONFIG = VAEConfig(family="mlp", channels=1, size=4, latent_dim=DIM, hidden=5)


def some_checkpoint(seed: int = 0, config: VAEConfig = CONFIG) -> Checkpoint:
    torch.manual_seed(seed)
    vectors = seeded_noise([1, 2], DIM)  # two views of one memory, as a regression returns
    return Checkpoint(
        model=VAE(config).train(),
        statistics=LatentStatistics(torch.randn(DIM), torch.diag(torch.rand(DIM) + 0.1)),
        directions={
            "glasses": Direction(
                vectors[0],
                "glasses: from without to with",
                "regression",
                12,
                WithinLabelSubspace(seeded_noise([3, 4], DIM), torch.tensor([0.5, -1.0])),
            ),
            "age": Direction(vectors[1], "age: up by 10", "regression", 12),
        },
        sigma=0.125,
        labels=["glasses", "age"],
        metrics={"images": 7, "edits": {"glasses": 0.5}},
        provenance={"data": "avatars", "libraries": {"torch": "2"}},
    )


def assert_same_contents(found: Checkpoint, expected: Checkpoint) -> None:
    assert found.model.config == expected.model.config
    assert torch.equal(found.statistics.mean, expected.statistics.mean)
    assert torch.equal(found.statistics.covariance, expected.statistics.covariance)
    assert list(found.directions) == list(expected.directions)
    for name, direction in expected.directions.items():
        assert torch.equal(found.directions[name].vector, direction.vector)
        again = replace(
            found.directions[name], vector=direction.vector, within_label=direction.within_label
        )
        assert again == direction
        ours, theirs = direction.within_label, found.directions[name].within_label
        assert (ours is None) == (theirs is None)
        if ours is not None and theirs is not None:
            assert torch.equal(ours.rows, theirs.rows)
            assert torch.equal(ours.centre, theirs.centre)
    assert found.sigma == expected.sigma
    assert found.labels == expected.labels
    assert found.metrics == expected.metrics
    assert found.provenance == expected.provenance


def assert_refused(path: Path, *words: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    for word in words:
        assert word in message


def contents(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    with safe_open(path, framework="pt") as reader:
        return load_file(path), json.loads(reader.metadata()["lorgnette"])


WEIGHT = "model.decoder.0.weight"
