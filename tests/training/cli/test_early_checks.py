"""What cannot end well is refused before the training, with what would be right."""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.training import sources
from tests.training.conftest import Command
from tests.training.processes import small_fit
from vae import checkpoint


def error_of(command: Command, *words: object) -> str:
    result = command(*words)
    assert result.exit_code == 1, result.output
    last = " ".join(result.output.strip().splitlines()[-1:])
    assert last.startswith("error: ")
    return last


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--epochs", "inf", "epochs is inf; it must be 1,000,000 or fewer"),
        ("--epochs", "1e7", "it must be 1,000,000 or fewer"),
        ("--epochs", "nan", "epochs is nan"),
        ("--seed", 2**64, "seed is 18446744073709551616"),
        ("--max-minutes", "nan", "max_minutes is nan; it must be 0 or more"),
        ("--save-minutes", -1, "save_minutes is -1.0; it must be 0 or more"),
    ],
)
@pytest.mark.parametrize("preset", ["faces", "faces-sharp"])
def test_a_run_without_an_end(
    tmp_path: Path, command: Command, preset: str, option: str, value: object, message: str
) -> None:
    words = ["fit", "--preset", preset, "--data", "x", "--out", tmp_path / "out"]
    more = ["--init-from", "y"] if preset == "faces-sharp" else []
    result = command(*words, *more, option, value)
    assert result.exit_code == 2, result.output
    assert message in " ".join(re.split(r"[\s│|]+", result.output))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--out", "--run"])
@pytest.mark.parametrize("inside", [False, True])
def test_a_folder_that_is_a_file(
    tmp_path: Path, faces: Path, command: Command, option: str, inside: bool
) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    given = {"--out": tmp_path / "out", "--run": tmp_path / "run"}
    given[option] = file / "new" if inside else file
    error = error_of(command, *small_fit(faces, given["--out"], given["--run"]))
    assert f"{option} is {given[option]}, but {file} is not a folder: give a folder" in error
    assert sorted(f.name for f in tmp_path.iterdir()) == ["file"]
    assert file.read_text() == "mine"


@pytest.mark.parametrize("option", ["--out", "--run"])
def test_a_folder_within_the_images(tmp_path: Path, command: Command, option: str) -> None:
    sources.class_folders(tmp_path / "data", 2, ["a", "b"])
    given = {"--out": tmp_path / "out", "--run": tmp_path / "run"}
    given[option] = tmp_path / "data" / "new"
    error = error_of(command, *small_fit(tmp_path / "data", given["--out"], given["--run"]))
    assert f"{option} is {given[option]}, which is in --data: the next run would take" in error
    assert not given[option].exists()


def test_a_checkpoint_file_that_is_a_folder(tmp_path: Path, faces: Path, command: Command) -> None:
    file = tmp_path / "out" / "metrics.json"
    file.mkdir(parents=True)
    error = error_of(command, *small_fit(faces, tmp_path / "out", tmp_path / "run"))
    assert f"{file} is no file that can be written" in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", ["classifier", "baseline"])
def test_a_file_that_is_a_folder(tmp_path: Path, faces: Path, command: Command, kind: str) -> None:
    words = [kind, *(["tutorial"] if kind == "baseline" else []), "--data", faces]
    error = error_of(command, *words, "--out", tmp_path, "--run", tmp_path / "run")
    assert f"--out is {tmp_path}, which is a folder: give a file to write" in error
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def untested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data without a test split."""
    file = tmp_path_factory.mktemp("untested") / "faces.zip"
    sources.faces(file, train=24, test=0)
    return file


def test_without_test_images_the_training_says_what_will_be_missing(
    tmp_path: Path, untested: Path, command: Command
) -> None:
    out = tmp_path / "out"
    result = command(*small_fit(untested, out, tmp_path / "run"), "--max-minutes", 0)
    assert result.exit_code == 0, result.output
    printed = " ".join(result.output.split())
    assert "the model gets no figures, and its report no images" in printed
    assert [file.name for file in (out / "report").iterdir()] == ["index.html"]
    assert checkpoint.load(out / "model.safetensors").metrics == {"images": 0}


def test_one_test_image_is_too_few_for_one_figure(tmp_path: Path, command: Command) -> None:
    sources.faces(tmp_path / "faces.zip", train=24, test=1)
    words = small_fit(tmp_path / "faces.zip", tmp_path / "out", tmp_path / "run")
    result = command(*words, "--size", 64, "--max-minutes", 0)
    assert result.exit_code == 0, result.output
    printed = " ".join(result.output.split())
    assert "Fréchet distances need 2 images in each split: they are left out" in printed
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["images"] == 1
    assert "frechet" not in metrics


def test_evaluate_without_test_images_leaves_the_figures_alone(
    tmp_path: Path, faces: Path, untested: Path, command: Command
) -> None:
    out, run = tmp_path / "out", tmp_path / "run"
    assert command(*small_fit(faces, out, run), "--max-minutes", 0).exit_code == 0
    before = {f: f.read_bytes() for f in out.rglob("*") if f.is_file()}
    words = ["evaluate", "--model", out, "--data", untested, "--run", tmp_path / "other"]
    error = error_of(command, *words)
    assert f"{untested}: no image is in the test split, on which figures are measured" in error
    assert {f: f.read_bytes() for f in out.rglob("*") if f.is_file()} == before
    assert not (tmp_path / "other" / "images.npy").exists()  # refused before they are decoded


def test_a_window_larger_than_the_images(tmp_path: Path, faces: Path, command: Command) -> None:
    base = tmp_path / "base"
    assert command(*small_fit(faces, base, tmp_path / "run"), "--max-minutes", 0).exit_code == 0
    shutil.rmtree(tmp_path / "run")
    words = ["fit", "--preset", "faces-sharp", "--init-from", base, "--data", faces]
    error = error_of(command, *words, "--out", tmp_path / "out", "--run", tmp_path / "run")
    assert "window is 160, but the images of --init-from have 32 pixels a side" in error
    assert "give --window 32 or less" in error
    assert not (tmp_path / "run").exists()


def test_a_network_that_cannot_have_a_detail_branch(
    tmp_path: Path, command: Command, digits: Path
) -> None:
    base = tmp_path / "base"
    fit = ["fit", "--preset", "mnist", "--data", digits, "--out", base, "--run", tmp_path / "run"]
    assert command(*fit, "--max-minutes", 0).exit_code == 0
    words = ["fit", "--preset", "faces-sharp", "--init-from", base, "--data", digits]
    error = error_of(command, *words, "--out", tmp_path / "out", "--window", 16)
    assert "--init-from cannot have a detail branch: " in error


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("digits")
    sources.mnist(root, "MNIST", 60, 3)
    return root


@pytest.mark.parametrize("latent_dim", [1, 2])
def test_few_latents(tmp_path: Path, faces: Path, command: Command, latent_dim: int) -> None:
    out = tmp_path / "out"
    words = small_fit(faces, out, tmp_path / "run")
    result = command(*words, "--latent-dim", latent_dim, "--epochs", 1)
    assert result.exit_code == 0, result.output
    loaded = checkpoint.load(out / "model.safetensors")
    assert loaded.sample([0, 1]).shape == (2, latent_dim)
    assert "glasses" in loaded.directions
    report = {file.stem for file in (out / "report").iterdir()}
    assert report >= {"samples", "traversals", "reconstructions"}
    assert ("plane" in report) == ("scatter" in report) == (latent_dim == 2)


@pytest.mark.parametrize(("size", "figures"), [(8, set()), (11, {"ssim"})])
def test_images_smaller_than_the_window_of_a_figure(
    tmp_path: Path, digits: Path, command: Command, size: int, figures: set[str]
) -> None:
    out = tmp_path / "out"
    words = ["fit", "--preset", "mnist", "--data", digits, "--out", out, "--run", tmp_path / "run"]
    result = command(*words, "--size", size, "--max-minutes", 0)
    assert result.exit_code == 0, result.output
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics.keys() & {"ssim", "ms_ssim"} == figures
    assert ("SSIM" in (out / "README.md").read_text()) == bool(figures)


def test_a_classifier_of_a_label_that_the_train_split_does_not_vary(
    tmp_path: Path, command: Command
) -> None:
    with_glasses = [[f"{i}.png", "train", 1, i % 2, 30] for i in range(12)]
    test = [[f"{12 + i}.png", "test", i // 2, i % 2, 30] for i in range(4)]
    data = tmp_path / "data"
    data.mkdir()
    for i in range(16):
        sources.disc(i).save(data / f"{i}.png")
    (data / "manifest.csv").write_text(sources.table([*with_glasses, *test]))
    trained = tmp_path / "classifier.safetensors"
    train_on = tmp_path / "faces.zip"
    sources.faces(train_on)
    words = ["--data", train_on, "--out", trained, "--run", tmp_path / "c", "--epochs", 1]
    assert command("classifier", *words, "--network", "convnet").exit_code == 0
    fit = small_fit(data, tmp_path / "out", tmp_path / "run")
    error = error_of(command, *fit, "--classifier", trained)
    assert "no train image has glasses 0; evaluating edits needs both 0 and 1" in error
