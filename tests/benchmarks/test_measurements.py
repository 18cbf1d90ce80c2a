"""The benchmarks that need no load generator: quick runs of each. Nothing is timed."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from benchmarks.servers.work import FILE
from tests import photographs
from tests.benchmarks.quick import bench, run_quick
from vae import checkpoint
from vae.checkpoint import Checkpoint
from vae.config import VAEConfig
from vae.model import VAE
from vae.pixels import to_uint8
from vae.prior import LatentStatistics

pytestmark = pytest.mark.long


def small_checkpoint(folder: Path, detail_channels: int) -> str:
    torch.manual_seed(0)
    config = VAEConfig(size=32, latent_dim=4, widths=(8, 16), detail_channels=detail_channels)
    file = folder / "model.safetensors"
    statistics = LatentStatistics(torch.zeros(4), torch.eye(4))
    checkpoint.save(Checkpoint(VAE(config).eval(), statistics), file)
    return str(file)


def test_the_cost_of_detail_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CHECKPOINT", small_checkpoint(tmp_path, detail_channels=4))
    assert bench(tmp_path, "detail") == {"detail.json", "detail.md"}
    cells = json.loads((tmp_path / "detail.json").read_text())
    assert {(cell["threads"], cell["batch"]) for cell in cells} == {(1, 1), (1, 8), (2, 1), (2, 8)}
    assert all(len(times) == 2 for cell in cells for times in cell["seconds"].values())


def test_a_model_without_a_detail_branch_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_CHECKPOINT", small_checkpoint(tmp_path, detail_channels=0))
    ran = run_quick(tmp_path, "detail")
    assert ran.returncode == 1
    assert ran.stderr.endswith("has no detail branch, whose cost this measures\n")
    assert "Traceback" not in ran.stderr


def test_the_stall_of_the_event_loop_is_measured(tmp_path: Path) -> None:
    assert bench(tmp_path, "stall") == {"stall.json", "stall.md"}
    stalls = json.loads((tmp_path / "stall.json").read_text())
    assert [len(times) for times in stalls.values()] == [2, 2, 2]


def test_faces_are_counted(tmp_path: Path) -> None:
    faces = tmp_path / "faces"
    faces.mkdir()
    photographs.head().crop((21, 20, 147, 174)).save(faces / "face.png")
    assert bench(tmp_path, "detection", "--faces", str(faces)) == {
        "detection.json",
        "detection.md",
    }
    rows = {row["name"]: row for row in json.loads((tmp_path / "detection.json").read_text())}
    for name in ("as they are", "120 pixels wide, in a scene"):
        assert (rows[name]["pictures"], rows[name]["found"], rows[name]["wrong"]) == (1, 1, 0)
    for name in ("drawn scenes without a face", "avatars"):
        assert (rows[name]["found"], rows[name]["wrong"]) == (0, 0)


def test_filled_parts_are_compared(tmp_path: Path) -> None:
    faces = tmp_path / "faces"
    faces.mkdir()
    loaded = checkpoint.load(FILE)
    with torch.inference_mode():
        [face] = to_uint8(loaded.model.decode(loaded.sample([1])))
    Image.fromarray(face.numpy()).save(faces / "face.png")
    assert bench(tmp_path, "inpainting", "--faces", str(faces)) == {
        "inpainting.json",
        "inpainting.md",
    }
    rows = json.loads((tmp_path / "inpainting.json").read_text())
    assert list(rows) == ["lower half", "left half", "eyes", "random 50%"]
    for by in rows.values():
        [colour], [likely] = (by[name]["errors"] for name in ("mean colour", "`temperature` 0"))
        assert 0 < likely < colour
        assert len(by["draws"]["errors"]) == 4
        assert by["draws"]["spreads"][0] > by["pseudo-Gibbs chain"]["spreads"][0]


@pytest.mark.parametrize("what", ["detection", "inpainting"])
def test_a_folder_without_pictures_is_named(tmp_path: Path, what: str) -> None:
    ran = run_quick(tmp_path, what, "--faces", str(tmp_path))
    assert ran.returncode == 1
    assert f"{tmp_path} has no .png" in ran.stderr
