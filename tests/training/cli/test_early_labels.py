"""Labels that a command needs are looked up in the table, before any image is decoded."""

from pathlib import Path

import pytest

from tests.training import sources
from tests.training.conftest import Command
from tests.training.processes import small_fit
from tests.vae.checkpoints import some_checkpoint
from training.analysis.classifier_networks import build
from vae.attribute_classifier import save
from vae.checkpoint import save as save_checkpoint


def error_of(command: Command, *words: object) -> str:
    result = command(*words)
    assert result.exit_code == 1, result.output
    return result.output.strip().splitlines()[-1]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A manifest of images that are not there: to decode one would be another error."""
    folder = tmp_path / "data"
    folder.mkdir()
    rows = [[f"{i}.png", "test" if i < 4 else "train", i // 2 % 2, i % 2, 30] for i in range(16)]
    header = ["file", "split", "Eye Glasses", "male", "age"]
    (folder / "manifest.csv").write_text(sources.table(rows, header))
    return folder


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    file = tmp_path / "classifier.safetensors"
    save(build(["glasses"]), {"glasses": 1.0}, file)
    return file


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    save_checkpoint(some_checkpoint(), folder / "model.safetensors")
    return folder


def test_a_label_to_balance(tmp_path: Path, table: Path, command: Command) -> None:
    error = error_of(command, *small_fit(table, tmp_path / "out", tmp_path / "run"))
    assert error == "error: no train image has label 'glasses', which the recipe balances"


def test_the_labels_of_a_classifier_that_evaluates(
    tmp_path: Path, table: Path, classifier: Path, command: Command
) -> None:
    words = [*small_fit(table, tmp_path / "out", tmp_path / "run"), "--balance", "male"]
    error = error_of(command, *words, "--classifier", classifier)
    assert error == "error: to evaluate edits the data needs a label 'glasses', which it has not"


def test_the_labels_of_an_auxiliary_classifier(
    tmp_path: Path, table: Path, classifier: Path, command: Command
) -> None:
    words = [*small_fit(table, tmp_path / "out", tmp_path / "run"), "--balance", "male"]
    more = ["--auxiliary-classifier", classifier, "--classifier-weight", 0.1]
    error = error_of(command, *words, *more)
    assert "there is no label 'glasses'; the labels are ['Eye Glasses', 'age', 'male']" in error


def test_the_labels_of_a_new_classifier(tmp_path: Path, table: Path, command: Command) -> None:
    words = ["--data", table, "--out", tmp_path / "new", "--run", tmp_path / "run"]
    assert "there is no label 'glasses'" in error_of(command, "classifier", *words)


def test_evaluate_with_a_classifier(
    tmp_path: Path, table: Path, model: Path, classifier: Path, command: Command
) -> None:
    words = ["--model", model, "--data", table, "--run", tmp_path / "run"]
    error = error_of(command, "evaluate", *words, "--classifier", classifier)
    assert "to evaluate edits the data needs a label 'glasses'" in error


def test_directions_without_labels(tmp_path: Path, model: Path, command: Command) -> None:
    sources.class_folders(tmp_path / "images", 2, ["only"])
    for image in (tmp_path / "images" / "only").iterdir():
        image.write_bytes(b"no image")
    words = ["--model", model, "--data", tmp_path / "images", "--run", tmp_path / "run"]
    assert "it has no labels; directions need class folders" in error_of(
        command, "directions", *words
    )


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (["--preset", "faces"], "--init-from is another network than the recipe's"),
        (["--classifier-weight", 0.1], "there is no --auxiliary-classifier"),
        (["--reconstruction", "bce"], "binary cross-entropy needs a model with sigmoid output"),
    ],
)
def test_a_recipe_that_does_not_go_with_what_it_is_given(
    tmp_path: Path,
    table: Path,
    model: Path,
    command: Command,
    recipe: list[object],
    message: str,
) -> None:
    words = [*small_fit(table, tmp_path / "out", tmp_path / "run"), *recipe]
    more = ["--init-from", model] if "--preset" in recipe else []
    assert message in error_of(command, *words, *more)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["directions", "align-template"])
def test_a_checkpoint_that_cannot_be_written_anew(
    model: Path, table: Path, command: Command, name: str
) -> None:
    (model / "README.md").mkdir()
    error = error_of(command, name, "--model", model, "--data", table)
    assert f"{model / 'README.md'} is no file that can be written" in error
