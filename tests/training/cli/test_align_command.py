import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

from tests import photographs
from tests.training.conftest import Command
from tests.training.sources import png, table
from tests.vae.checkpoints import some_checkpoint
from vae.checkpoint import load, save
from vae.config import VAEConfig

SIDE = 64
CONFIG = VAEConfig(size=SIDE, latent_dim=3, widths=(8, 16))
BOX = (172, 60, 276, 164)  # of the head in the astronaut's photograph


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    save(some_checkpoint(config=CONFIG), folder / "model.safetensors")
    return folder


def data(file: Path, images: list[Image.Image]) -> Path:
    with zipfile.ZipFile(file, "w") as archive:
        rows = [(f"{i}.png", "train" if i else "test", 0, 0, 20) for i in range(len(images))]
        for image, row in zip(images, rows, strict=True):
            archive.writestr(row[0], png(image))
        archive.writestr("manifest.csv", table(rows))
    return file


def test_the_template_is_written_and_nothing_else_changes(
    command: Command, model: Path, tmp_path: Path
) -> None:
    crop = photographs.astronaut().crop(BOX)
    brighter = crop.point(lambda level: min(255, level * 1.1))
    faces = data(tmp_path / "faces.zip", [Image.new("RGB", (9, 9)), crop, brighter, crop])
    file = model / "model.safetensors"
    before, weights = load(file), load_file(file)
    result = command("align-template", "--model", model, "--data", faces, "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert "faces were found in 3 of 3 images" in result.output
    after = load(file)
    assert before.alignment_template is None
    scale = SIDE / (BOX[2] - BOX[0])
    expected = scale * (photographs.LANDMARKS - BOX[:2])
    assert np.abs(np.array(after.alignment_template) - expected).max() < 4
    stored = load_file(file)
    assert stored.keys() == weights.keys()
    assert all(stored[name].equal(weights[name]) for name in weights)
    assert (after.metrics, after.provenance) == (before.metrics, before.provenance)
    assert after.sha256 != before.sha256


def test_images_without_faces_leave_the_checkpoint_as_it_was(
    command: Command, model: Path, tmp_path: Path
) -> None:
    faces = data(tmp_path / "faces.zip", 4 * [Image.new("RGB", (80, 80), "tan")])
    before = (model / "model.safetensors").read_bytes()
    result = command("align-template", "--model", model, "--data", faces, "--device", "cpu")
    assert result.exit_code == 1
    assert "faces were found in 0 of 3 images" in result.output
    assert (model / "model.safetensors").read_bytes() == before
    result = command("align-template", "--model", model, "--data", faces, "--images", 0)
    assert result.exit_code == 2
    assert "images is 0" in result.output
