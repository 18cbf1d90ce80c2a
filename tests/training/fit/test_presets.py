"""Each preset trains for a few steps through the command line, on data in its own format."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file
from torchvision.datasets import MNIST, CelebA

from tests.training import sources
from tests.training.conftest import Command
from training.analysis.direction_names import expression_names
from training.fit import loss_log
from training.fit.presets import PRESETS
from vae import checkpoint
from vae.checkpoint import Checkpoint

REPORT = {
    "reconstructions.png",
    "samples.png",
    "samples_by_epoch.png",
    "interpolation.png",
    "traversals.png",
}
# Where there are enough images with and without:
EDITS = {"arithmetic.png", "directions.png", "edited_samples.png", "sums.png"}
PLANE = {"scatter.png", "scatter_cdf.png", "plane.png"}
CELEBA_NAMES = ["Eyeglasses", "Male", "Young", *(f"Attribute_{i}" for i in range(37))]


def published(out: Path, run: Path, images: set[str] = REPORT) -> Checkpoint:
    """The checkpoint in ``out``, after checks of everything that is written beside it."""
    found = checkpoint.load(out / "model.safetensors")
    dim = found.model.config.latent_dim
    covariance = found.statistics.covariance
    assert found.statistics.mean.shape == (dim,)
    assert covariance.equal(covariance.T)
    assert covariance.diagonal().min() > 0

    assert json.loads((out / "metrics.json").read_text()) == found.metrics
    figures = {k: v for k, v in found.metrics.items() if not isinstance(v, dict)}
    assert all(np.isfinite(value) for value in figures.values()), figures
    assert found.metrics["elbo_nats"] == -(
        found.metrics["distortion_nats"] + found.metrics["rate_nats"]
    )

    card = (out / "README.md").read_text()
    assert (
        found.provenance["data sha256"] == json.loads((run / "images.json").read_text())["sha256"]
    )
    for name in ("data", "data sha256", "licence of the data", "command"):
        assert f"| {name} | {found.provenance[name]} |" in card
    assert f"--out {out}" in found.provenance["command"]
    assert all(f"| `{name}` |" in card for name in found.directions)

    if len(loss_log.read(run)) > 1:
        images = images | {"losses.png"}
    assert (out / "report" / "index.html").is_file()
    written = {file.name for file in (out / "report").iterdir()} - {"index.html"}
    assert images <= written <= images | EDITS
    assert set(re.findall(r"\]\(report/(\S+)\)", card)) == written
    for name in written:
        with Image.open(out / "report" / name) as image:
            assert np.asarray(image.convert("L")).std() > 1, name
    first_test_image(out, run)
    return found


def first_test_image(out: Path, run: Path) -> None:
    """The report's top left reconstruction stands under an original, and differs from it."""
    with Image.open(out / "report" / "reconstructions.png") as board:
        pixels = np.asarray(board.convert("RGB"))
    decoded = np.load(run / "images.npy", mmap_mode="r")
    size = decoded.shape[1]
    original, copy = pixels[:size, :size], pixels[size + 4 : 2 * size + 4, :size]
    assert (decoded == original).all(axis=(1, 2, 3)).any()
    assert not np.array_equal(original, copy)
    assert copy.std() > 0


def test_mnist(tmp_path: Path, command: Command) -> None:
    data, out, run = tmp_path / "data", tmp_path / "out", tmp_path / "run"
    sources.mnist(data, "MNIST")
    words = ["--preset", "mnist", "--data", data, "--out", out, "--run", run, "--epochs", 2]
    result = command("fit", *words)
    assert result.exit_code == 0, result.output
    assert "260 images to train on, 30 to test on" in result.output
    found = published(out, run)
    assert found.model.config == PRESETS["mnist"].model
    assert found.sigma is None
    assert found.labels == list(MNIST.classes)
    assert list(found.directions) == expression_names(found.labels)
    assert {d.method for d in found.directions.values()} == {"difference of class means"}


def test_fashion_with_its_plane(tmp_path: Path, command: Command) -> None:
    data, out, run = tmp_path / "data", tmp_path / "out", tmp_path / "run"
    sources.mnist(data, "FashionMNIST")
    words = ["--preset", "fashion", "--data", data, "--out", out, "--run", run, "--epochs", 1]
    result = command("fit", *words)
    assert result.exit_code == 0, result.output
    found = published(out, run, REPORT | PLANE)
    assert found.model.config.latent_dim == 2
    assert {"Sneaker", "T_shirt_top", "Ankle_boot"} < found.directions.keys()


def test_tutorial_on_class_folders(tmp_path: Path, command: Command) -> None:
    data, out, run = tmp_path / "data", tmp_path / "out", tmp_path / "run"
    sources.class_folders(data, 10, ["bare", "glasses"])
    (data / "licence.txt").write_text("drawn for a test,\nfree for all\n")
    words = ["--data", data, "--out", out, "--run", run, "--epochs", 0.1, "--latent-dim", 4]
    result = command("fit", "--preset", "tutorial", *words)
    assert result.exit_code == 0, result.output
    found = published(out, run)
    distances = found.metrics["frechet"]
    assert distances.keys() == {"reconstructions", "standard", "gaussian"}
    assert np.isfinite(list(distances.values())).all()
    assert found.model.config.family == "tutorial"
    assert found.provenance["licence of the data"] == "drawn for a test, free for all"
    assert found.directions.keys() == {"bare", "glasses"}
    there, back = found.directions["glasses"].vector, found.directions["bare"].vector
    assert there.norm() > 0
    assert there.allclose(-back)
    for file in (run / "state.safetensors", run / "images.npy", out / "model.safetensors"):
        file.unlink()  # large


def test_avatars_keeps_the_averaged_weights(
    tmp_path: Path, avatars: Path, command: Command
) -> None:
    out, run = tmp_path / "out", tmp_path / "run"
    words = ["--data", avatars, "--out", out, "--run", run, "--size", 32, "--latent-dim", 8]
    result = command("fit", *words, "--batch-size", 4, "--epochs", 2, "--weights", "fp32")
    assert result.exit_code == 0, result.output
    assert "12 images to train on, 18 to test on" in result.output
    found = published(out, run, REPORT | EDITS - {"sums.png"})
    assert found.provenance["licence of the data"].startswith("drawn by Lorgnette")
    labels = {"glasses", "beard", "long_hair", "smile"}
    assert set(found.labels) == labels
    assert found.directions.keys() <= labels
    assert "glasses" in found.directions
    assert found.sigma is not None
    assert 0.01 < found.sigma < 1
    assert np.isfinite(
        [v for scores in found.metrics["edits"].values() for v in scores.values()]
    ).all()

    state = load_file(run / "state.safetensors")
    for name, weight in found.model.state_dict().items():
        assert weight.equal(state[f"averaged.{name}"])
    assert any(
        not state[k].equal(state[k.replace("averaged.", "model.")])
        for k in state
        if k.startswith("averaged.")
    )


def test_faces_on_a_zip_with_unknown_labels(tmp_path: Path, faces: Path, command: Command) -> None:
    out, run = tmp_path / "out", tmp_path / "run"
    words = ["--data", faces, "--out", out, "--run", run, "--size", 32, "--latent-dim", 8]
    more = ["--batch-size", 8, "--epochs", 1, "--licence", "research only"]
    result = command("fit", "--preset", "faces", *words, *more)
    assert result.exit_code == 0, result.output
    found = published(out, run)
    assert found.provenance["licence of the data"] == "research only"
    assert checkpoint.stored_dtype(out / "model.safetensors").itemsize == 2
    assert found.labels == ["glasses", "male", "age"]
    assert {d.count for d in found.directions.values()} == {20}  # 4 of 24 are not known
    assert found.directions["glasses"].method == "regression on glasses, male, age"
    assert "one standard deviation" in found.directions["age"].meaning


def test_celeba_through_torchvision(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CelebA, "_check_integrity", lambda self: True)  # sums of the real files
    data, out, run = tmp_path / "data", tmp_path / "out", tmp_path / "run"
    sources.celeba(data, [0] * 12 + [1] * 3 + [2] * 4, CELEBA_NAMES)
    words = ["--data", data, "--out", out, "--run", run, "--size", 32, "--latent-dim", 8]
    more = ["--source", "celeba", "--balance", "Eyeglasses", "--batch-size", 6, "--epochs", 1]
    result = command("fit", "--preset", "faces", *words, *more)
    assert result.exit_code == 0, result.output
    assert "12 images to train on, 4 to test on" in result.output
    found = published(out, run)
    assert found.labels == CELEBA_NAMES
    assert {"Eyeglasses", "Male"} <= found.directions.keys()


def test_evaluate_writes_everything_anew(tmp_path: Path, faces: Path, command: Command) -> None:
    out, run = tmp_path / "out", tmp_path / "run"
    words = ["--data", faces, "--out", out, "--run", run, "--size", 32, "--latent-dim", 2]
    command("fit", "--preset", "faces", *words, "--batch-size", 12, "--epochs", 1)
    before = checkpoint.load(out / "model.safetensors")
    (out / "README.md").unlink()
    (out / "metrics.json").unlink()
    result = command("evaluate", "--model", out, "--data", faces, "--run", run)
    assert result.exit_code == 0, result.output
    after = published(out, run, REPORT | PLANE)
    assert after.metrics == pytest.approx(before.metrics)
    assert after.sha256 == before.sha256


@pytest.mark.parametrize("count", [0, 2])
def test_any_number_of_test_images_is_enough(tmp_path: Path, command: Command, count: int) -> None:
    data, out = tmp_path / "faces.zip", tmp_path / "out"
    sources.faces(data, train=6, test=count)
    words = ["--data", data, "--out", out, "--run", tmp_path / "run", "--size", 32]
    more = ["--latent-dim", 2, "--batch-size", 6, "--epochs", 1]
    result = command("fit", "--preset", "faces", *words, *more)
    assert result.exit_code == 0, result.output
    found = checkpoint.load(out / "model.safetensors")
    assert found.metrics["images"] == count
    assert f"Figures on {count} test images" in (out / "README.md").read_text()
