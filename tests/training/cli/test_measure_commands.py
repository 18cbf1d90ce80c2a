"""Classifiers, baselines and edits through the command line, and the card of their figures."""

import json
import shutil
from pathlib import Path

import pytest

from tests.training.conftest import Command, run_training
from vae import checkpoint

ROOT = Path(__file__).parents[3]
SMALL = ["--size", 32, "--patch", 4, "--widths", 8, 12, "--latent-dim", 4, "--batch-size", 6]
SMALL += ["--epochs", 1, "--weights", "fp32"]
SHOWING_DATA = {"reconstructions.png", "interpolation.png", "directions.png"}


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory, faces: Path) -> Path:
    folder = tmp_path_factory.mktemp("classifier")
    file = folder / "new" / "classifier.safetensors"
    words = ["--data", str(faces), "--out", str(file), "--run", str(folder / "run")]
    result = run_training(["classifier", *words, "--network", "convnet", "--epochs", "1"])
    assert result.exit_code == 0, result.output
    assert "glasses: " in result.output
    assert "male: " in result.output
    return file


def test_edits_of_faces_are_evaluated_and_the_images_stay_private(
    tmp_path: Path, faces: Path, classifier: Path, command: Command
) -> None:
    out, run = tmp_path / "out", tmp_path / "run-fit"
    words = ["--data", faces, "--run", run, "--classifier", classifier, "--private"]
    result = command("fit", "--preset", "faces", "--out", out, *words, *SMALL)
    assert result.exit_code == 0, result.output
    evaluated = json.loads((out / "metrics.json").read_text())["edit_evaluation"]
    figures = {"recall", "false_positive_rate", "edits", "sums", "smoothness"}
    figures |= {"accuracy_by_group", "sex_changed_by_reconstruction"}
    assert evaluated.keys() == {"classifier", *figures}
    methods = {"regression", "regression, without within-label subspace", "group means"}
    assert evaluated["edits"].keys() == methods
    public = {file.name for file in (out / "report").iterdir()}
    assert public >= {"samples.png", "edited_samples.png", "sums.png"}
    assert not public & SHOWING_DATA
    assert {file.name for file in (run / "report").iterdir()} == SHOWING_DATA
    card = (out / "README.md").read_text()
    assert "## Edits evaluated by classifiers" in card
    sha256 = evaluated["classifier"]["sha256"]
    assert f"The classifier is `{sha256[:12]}` (convnet); its accuracy on test" in card
    assert not any(name in card for name in SHOWING_DATA)

    baselines = out / "baselines.json"
    words = ["--data", faces, "--out", baselines, "--run", tmp_path / "pca", "--size", 32]
    assert command("baseline", "pca", *words).exit_code == 0
    found = json.loads(baselines.read_text())
    assert found["pca"].keys() == {"0"}  # too few images for more
    found["tutorial"] = {"latent_dim": 100, "psnr_db": 12.345, "ssim": 0.5}
    other = {"sha256": "other", "accuracy": {}}
    found["same"] = {"edit_evaluation": {"recall": 0.25, "classifier": evaluated["classifier"]}}
    found["mine"] = {"edit_evaluation": {"recall": 0.5, "classifier": other}}
    baselines.write_text(json.dumps(found))

    words = ["--data", faces, "--run", run, "--classifier", classifier, "--private"]
    assert command("evaluate", "--model", out, *words).exit_code == 0
    again = checkpoint.load(out / "model.safetensors").metrics
    assert again["edit_evaluation"] == evaluated
    card = (out / "README.md").read_text()
    assert f"| the mean image | 0 | {found['pca']['0']:.2f} |" in card
    assert "| `tutorial`, as published | 100 | 12.35 | 0.500 |" in card
    assert "The edits of `mine` were evaluated by another classifier than this model's" in card


def test_a_card_compares_with_another_checkpoint(tmp_path: Path, command: Command) -> None:
    copy = shutil.copytree(ROOT / "models" / "faces", tmp_path / "mine")
    other = ROOT / "models" / "avatars"
    for _ in range(2):  # figures that were added stay
        result = command("card", "--model", copy, "--compare-with", other)
        assert result.exit_code == 0, result.output
    figures = json.loads((other / "metrics.json").read_text())
    baselines = json.loads((copy / "baselines.json").read_text())
    assert baselines["avatars"] == figures
    assert command("card", "--model", copy).exit_code == 0
    card = (copy / "README.md").read_text()
    assert card.count(f"| `avatars` | 32 | {figures['psnr_db']:.2f} |") == 1
    assert "| `tutorial`, as published |" in card


def test_data_without_labels_for_the_classifier_is_refused_before_the_training(
    tmp_path: Path, avatars: Path, classifier: Path, command: Command
) -> None:
    out, run = tmp_path / "out", tmp_path / "run-fit"
    words = ["--data", avatars, "--out", out, "--run", run, "--classifier", classifier]
    result = command("fit", *words, *SMALL)
    assert result.exit_code == 1
    assert "the data needs a label 'male'" in result.output.splitlines()[-1]
    assert not out.exists()
    assert not (run / "state.safetensors").exists()


def test_a_classifier_needs_labels(tmp_path: Path, avatars: Path, command: Command) -> None:
    words = ["--data", avatars, "--out", tmp_path / "p", "--run", tmp_path / "run"]
    result = command("classifier", *words)
    assert result.exit_code == 1
    assert "no label 'male'" in result.output.splitlines()[-1]


def test_a_file_that_holds_no_classifier_is_refused(
    tmp_path: Path, faces: Path, command: Command
) -> None:
    words = ["--data", faces, "--out", tmp_path / "out", "--run", tmp_path / "run"]
    result = command("fit", "--preset", "faces", *words, "--classifier", faces, *SMALL)
    assert result.exit_code == 1
    assert "can be read from it" in result.output.splitlines()[-1]


def test_an_auxiliary_classifier_is_not_the_one_that_evaluates(
    tmp_path: Path, faces: Path, classifier: Path, command: Command
) -> None:
    auxiliary, run = tmp_path / "auxiliary.safetensors", tmp_path / "run"
    words = ["--data", faces, "--out", auxiliary, "--run", run, "--epochs", 1]
    printed = command("classifier", *words, "--labels", "glasses", "--seed", 1).output
    assert "glasses: " in printed
    assert "male" not in printed
    fit = ["fit", "--preset", "faces-stage2", "--data", faces, "--out", tmp_path / "out"]
    fit += ["--run", tmp_path / "run-fit", *SMALL]
    result = command(*fit, "--classifier", classifier, "--auxiliary-classifier", classifier)
    assert result.exit_code == 1
    assert "must not take part in the training" in result.output.splitlines()[-1]
    result = command(*fit, "--classifier", classifier)
    assert result.exit_code == 1
    assert "there is no --auxiliary-classifier" in result.output.splitlines()[-1]
    result = command(*fit, "--classifier", classifier, "--auxiliary-classifier", auxiliary)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("name", ["faces", "avatars"])
def test_the_card_of_a_bundled_model_is_what_its_folder_says(
    tmp_path: Path, name: str, command: Command
) -> None:
    copy = shutil.copytree(ROOT / "models" / name, tmp_path / name)
    (copy / "README.md").unlink()
    result = command("card", "--model", copy)
    assert result.exit_code == 0, result.output
    assert (copy / "README.md").read_text() == (ROOT / "models" / name / "README.md").read_text()


def test_a_card_needs_a_checkpoint(tmp_path: Path, command: Command) -> None:
    result = command("card", "--model", tmp_path)
    assert result.exit_code == 1
    assert "no such checkpoint" in " ".join(result.output.split())
