import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.training.conftest import Command
from tests.training.sources import class_folders, faces
from tests.vae.checkpoints import some_checkpoint
from vae.checkpoint import load, save
from vae.config import VAEConfig

CONFIG = VAEConfig(size=32, latent_dim=3, widths=(8, 16))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    measured = replace(some_checkpoint(config=CONFIG), metrics={"images": 7, "psnr_db": 20.0})
    save(measured, folder / "model.safetensors", torch.float16)
    return folder


def words(model: Path, data: Path) -> list[object]:
    return ["--model", model, "--data", data, "--run", model.parent / "run", "--device", "cpu"]


def test_statistics_are_written_and_nothing_else_changes(
    command: Command, model: Path, tmp_path: Path
) -> None:
    faces(tmp_path / "faces.zip", train=60, test=24)
    file = model / "model.safetensors"
    before, weights = load(file), load_file(file)
    result = command("image-statistics", *words(model, tmp_path / "faces.zip"))
    assert result.exit_code == 0, result.output
    after, stored = load(file), load_file(file)
    assert after.elbo_quantiles is not None
    regression = {f"pixels.{name}" for name in ("weights", "centre", "variance")}
    assert stored.keys() == {*weights, "elbo.quantiles", *regression}
    assert after.pixel_regression is not None
    assert after.pixel_regression.weights.shape == (3 * 32 * 32, 3)
    assert all(stored[name].equal(weights[name]) for name in weights)
    assert (after.directions.keys(), after.provenance) == (
        before.directions.keys(),
        before.provenance,
    )
    assert after.sha256 != before.sha256
    figures = after.metrics["score"]
    assert (figures["train_images"], figures["test_images"]) == (60, 24)
    assert after.metrics == {**before.metrics, "score": figures}
    assert json.loads((model / "metrics.json").read_text()) == after.metrics
    card = (model / "README.md").read_text()
    assert "## Percentiles of `/score`" in card
    assert f"statistic {figures['kolmogorov_smirnov']:.3f}, p = {figures['p']:.2f}." in card
    assert f"moved by {figures['gap_nats']:.0f} nats" in card


def test_without_test_images_the_quantiles_are_those_of_train_images(
    command: Command, model: Path, tmp_path: Path
) -> None:
    class_folders(tmp_path / "images" / "train", 12, ["a", "b"])
    result = command("image-statistics", *words(model, tmp_path / "images" / "train"))
    assert result.exit_code == 0, result.output
    found = load(model / "model.safetensors")
    assert found.elbo_quantiles is not None
    assert "score" not in found.metrics
    assert "/score" not in (model / "README.md").read_text()
