"""What the command line prints, above all on errors: one line, no traceback."""

import re
from dataclasses import fields, replace
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.training.conftest import Command
from tests.training.sources import plain, png, table
from training.cli.commands import Fit, parse
from training.data.augment import Augmentation
from training.fit.loss import LossConfig
from training.fit.presets import PRESETS, Recipe
from vae import checkpoint
from vae.config import VAEConfig


def refused(command: Command, *words: object) -> str:
    """The one line of an error; an exception that was not foreseen would come through."""
    result = command(*words)
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output
    last = result.output.strip().splitlines()[-1]
    assert last.startswith("error: ")
    return last


def fit(path: Path, out: Path, *more: object) -> list[object]:
    """A small run of the faces recipe: 4 steps, of 6 images."""
    words = ["fit", "--preset", "faces", "--data", path, "--out", out, "--size", 32, "--patch", 4]
    words += ["--widths", 8, 12, "--latent-dim", 4, "--batch-size", 6, "--epochs", 1]
    return [*words, "--weights", "fp32", *more]


def with_manifest(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "0.png").write_bytes(png(plain(0)))
    (folder / "manifest.csv").write_text(text)
    return folder


ROW = ["0.png", "train", "1", "0", "30"]
BAD_MANIFESTS = {
    "line 2: split is 'valid'": table([["0.png", "valid", "1", "0", "30"]]),
    "line 3: split is ''": table([ROW, ["0.png", "", "1", "0", "30"]]),
    "columns file and split": table([["0.png", "1"]], ["file", "glasses"]),
    "needs rows": table([]),
    "line 2 does not have the header's columns": table([["0.png", "train"]]),
    "line 3 does not have the header's columns": table([ROW, [*ROW, "more"]]),
    "no image is in the train split": table([["0.png", "test", "1", "0", "30"]]),
    "1 of 1 images are not there; at most 1% may be missing. The first is absent.png": table(
        [["absent.png", "train", "1", "0", "30"]]
    ),
    "no train image has label 'glasses'": table([["0.png", "train", "0", "0", "30"]]),
}


@pytest.mark.parametrize("message", BAD_MANIFESTS)
def test_a_bad_manifest_is_an_error_of_one_line(
    tmp_path: Path, command: Command, message: str
) -> None:
    data = with_manifest(tmp_path / "data", BAD_MANIFESTS[message])
    error = refused(command, *fit(data, tmp_path / "out", "--run", tmp_path / "run"))
    assert message in error
    assert not (tmp_path / "out").exists()


def test_data_that_is_not_there(tmp_path: Path, command: Command) -> None:
    words = fit(tmp_path / "absent", tmp_path / "out", "--run", tmp_path / "run")
    assert f"{tmp_path / 'absent'}: no such file or folder" in refused(command, *words)


def test_a_name_in_brackets_is_printed_as_it_is(tmp_path: Path, command: Command) -> None:
    words = fit(tmp_path / "[bold]" / "[/x]", tmp_path / "out", "--run", tmp_path / "run")
    assert "[bold]/[/x]: no such file" in refused(command, *words)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("auto", "neither manifest.csv nor class folders"),
        ("manifest", "no manifest.csv"),
        ("folder", "neither manifest.csv nor class folders"),
        ("mnist", "torchvision does not find MNIST there"),
        ("fashion", "torchvision does not find FashionMNIST there"),
        ("celeba", "torchvision does not find CelebA there"),
    ],
)
def test_an_empty_folder(tmp_path: Path, command: Command, source: str, message: str) -> None:
    (tmp_path / "data").mkdir()
    words = fit(tmp_path / "data", tmp_path / "out", "--run", tmp_path / "run", "--source", source)
    assert message in refused(command, *words)


def test_a_file_that_is_no_zip(tmp_path: Path, command: Command) -> None:
    (tmp_path / "data.zip").write_text("hello")
    words = fit(tmp_path / "data.zip", tmp_path / "out", "--run", tmp_path / "run")
    assert "neither a folder nor a zip archive" in refused(command, *words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--reconstruction", "bce"], "sigmoid"),
        (["--size", 36], "size is 36; it must be a multiple of"),
        (["--preset", "tutorial"], "3 x 256 x 256"),
        (["--balance", "hats"], "no train image has label 'hats'"),
    ],
)
def test_a_recipe_that_cannot_be(
    tmp_path: Path, faces: Path, command: Command, words: list[object], message: str
) -> None:
    given = fit(faces, tmp_path / "out", "--run", tmp_path / "run", *words)
    assert message in refused(command, *given)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such checkpoint"), (b"PK\3\4", "pickle"), (b"hello", "not a safetensors file")],
)
def test_evaluating_what_is_no_checkpoint(
    tmp_path: Path, faces: Path, command: Command, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / "model.safetensors").write_bytes(content)
    words = ["evaluate", "--model", tmp_path, "--data", faces, "--run", tmp_path / "run"]
    assert message in refused(command, *words)


def test_stopped_refused_restarted(tmp_path: Path, faces: Path, command: Command) -> None:
    run, out = tmp_path / "run", tmp_path / "out"

    stopped = command(*fit(faces, out, "--run", run, "--max-minutes", 0))
    assert stopped.exit_code == 0
    assert "Time is up at step 0 of 4: the same command resumes" in " ".join(stopped.output.split())
    untrained = load_file(out / "model.safetensors")
    assert checkpoint.load(out / "model.safetensors").provenance["epochs"] == 0

    other = refused(command, *fit(faces, out, "--run", run, "--learning-rate", 0.01))
    assert "holds a run that differs in recipe.learning_rate (0.0008 there, 0.01 now)" in other
    assert "--restart" in other

    command(*fit(faces, out, "--run", run))
    trained = load_file(out / "model.safetensors")
    assert not trained["model.encoder.1.weight"].equal(untrained["model.encoder.1.weight"])
    over = command(*fit(faces, out, "--run", run))
    assert "Resuming from step 4 of 4" in over.output
    again = load_file(out / "model.safetensors")
    assert all(again[name].equal(trained[name]) for name in trained)

    (run / "notes.txt").write_text("mine")
    restarted = command(*fit(faces, out, "--run", run, "--learning-rate", 0.01, "--restart"))
    assert restarted.exit_code == 0
    assert (run / "notes.txt").read_text() == "mine"
    assert "Resuming" not in restarted.output
    faster = load_file(out / "model.safetensors")
    assert not faster["model.encoder.1.weight"].equal(trained["model.encoder.1.weight"])


def test_a_card_says_what_the_training_was_initialised_from(
    tmp_path: Path, faces: Path, command: Command
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    command(*fit(faces, first, "--run", tmp_path / "run-1"))
    command(*fit(faces, second, "--run", tmp_path / "run-2", "--init-from", first))
    origin = checkpoint.load(second / "model.safetensors").provenance["initialised from"]
    assert origin["sha256"] == checkpoint.load(first / "model.safetensors").sha256
    assert str(first) in origin["command"]
    assert (
        f"| initialised from | sha256 {origin['sha256']}, command "
        in (second / "README.md").read_text()
    )


def test_a_run_that_diverges_says_what_would_help(
    tmp_path: Path, faces: Path, command: Command
) -> None:
    words = fit(faces, tmp_path / "out", "--run", tmp_path / "run", "--learning-rate", 1e15)
    error = refused(command, *words)
    assert "no longer finite" in error
    assert "--learning-rate" in error


def test_the_working_folder_is_named_after_the_checkpoint(
    tmp_path: Path, faces: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command(*fit(faces, Path("models/mine")))
    assert (tmp_path / "runs" / "mine" / "state.safetensors").is_file()
    assert (tmp_path / "models" / "mine" / "README.md").read_text().startswith("# mine\n")


@pytest.mark.parametrize("name", ["fit", "evaluate", "card", "classifier", "baseline", "avatars"])
def test_help_shows_an_example(command: Command, name: str) -> None:
    result = command(name, "--help")
    assert result.exit_code == 0
    assert f"python -m training {name}" in re.sub(r"[\s│|]+", " ", result.output)


def test_an_unknown_preset_is_refused_with_the_known_ones(tmp_path: Path, command: Command) -> None:
    result = command("fit", "--preset", "nonsense", "--data", tmp_path, "--out", tmp_path)
    assert result.exit_code == 2
    words = "".join(re.split(r"[\s│|]+", result.output))
    assert all(f"'{name}'" in words for name in PRESETS)


def test_every_field_of_a_recipe_is_an_option(command: Command) -> None:
    printed = command("fit", "--help").output
    for config in (Recipe, VAEConfig, LossConfig, Augmentation):
        for field in fields(config):
            name = field.name.replace("_", "-")
            if field.name not in ("model", "loss", "augmentation"):
                assert f"--{name} " in printed or f"--no-{name} " in printed, name


def test_options_change_the_recipe_of_the_preset(tmp_path: Path) -> None:
    words = ["fit", "--data", "x", "--out", "y", "--preset", "faces", "--size", "64"]
    changes = ["--beta", "3", "--row-weight", "0.1", "0.2", "4", "--no-flip", "--widths", "8", "8"]
    command = parse([*words, *changes])
    assert isinstance(command, Fit)
    faces = PRESETS["faces"]
    assert command.recipe == replace(
        faces,
        model=replace(faces.model, size=64, widths=(8, 8)),
        loss=replace(faces.loss, beta=3.0, row_weight=(0.1, 0.2, 4.0)),
        augmentation=replace(faces.augmentation, flip=False),
    )


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--batch-size", 0, "batch_size is 0; it must be 1 or more"),
        ("--epochs", -1, "epochs is -1.0; it must not be negative"),
        ("--clip", 0, "clip is 0.0; it must be above 0, and inf for no clipping"),
        ("--clip", "nan", "clip is nan; it must be above 0"),
        ("--learning-rate", 0, "learning_rate is 0.0; it must be above 0"),
        ("--kl-warmup", 2, "kl_warmup is 2.0; it must be between 0 and 1"),
        ("--row-weight", "0.6 0.3 2", "it must begin with two fractions of the height"),
        ("--epochs", "many", "could not convert string to float: 'many'"),
    ],
)
def test_a_value_that_is_out_of_range_is_refused(
    command: Command, option: str, value: object, message: str
) -> None:
    result = command("fit", "--data", "x", "--out", "y", option, *str(value).split())
    assert result.exit_code == 2
    assert message in " ".join(re.split(r"[\s│|]+", result.output))
