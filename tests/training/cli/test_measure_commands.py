"""Probes, baselines and judged edits through the command line, and what the card says of them."""

import json
import shutil
from pathlib import Path

import pytest

from tests.training.conftest import Command
from vae import checkpoint

ROOT = Path(__file__).parents[3]
SMALL = ["--size", 32, "--latent-dim", 4, "--batch-size", 6, "--epochs", 1, "--weights", "fp32"]
SHOWING_DATA = {"reconstructions.png", "interpolation.png", "directions.png"}


@pytest.fixture
def probes(tmp_path: Path, faces: Path, command: Command) -> Path:
    file = tmp_path / "probes" / "probes.safetensors"
    words = ["probes", "--data", faces, "--out", file, "--run", tmp_path / "run", "--epochs", 1]
    result = command(*words)
    assert result.exit_code == 0, result.output
    assert "glasses: " in result.output
    assert "male: " in result.output
    return file


def test_faces_are_judged_and_their_pictures_kept_private(
    tmp_path: Path, faces: Path, probes: Path, command: Command
) -> None:
    out, run = tmp_path / "out", tmp_path / "run-fit"
    words = ["--data", faces, "--run", run, "--probes", probes, "--private"]
    result = command("fit", "--preset", "faces", "--out", out, *words, *SMALL)
    assert result.exit_code == 0, result.output
    judged = json.loads((out / "metrics.json").read_text())["judged"]
    assert judged.keys() == {"judge", "kept", "gained", "edits", "sums", "smoothness"}
    methods = {"regression", "regression, without kinds", "group means"}
    assert judged["edits"].keys() == methods
    public = {file.name for file in (out / "report").iterdir()}
    assert public >= {"samples.png", "edited_samples.png", "sums.png"}
    assert not public & SHOWING_DATA
    assert {file.name for file in (run / "report").iterdir()} == SHOWING_DATA
    card = (out / "README.md").read_text()
    assert "## Edits as probes judge them" in card
    assert f"The probes are `{judged['judge']['sha256'][:12]}`, right on test pictures: " in card
    assert not any(name in card for name in SHOWING_DATA)

    baselines = out / "baselines.json"
    words = ["--data", faces, "--out", baselines, "--run", tmp_path / "pca", "--size", 32]
    assert command("baseline", "pca", *words).exit_code == 0
    found = json.loads(baselines.read_text())
    assert found["pca"].keys() == {"0"}  # too few pictures for more
    found["book"] = {"latent_dim": 100, "psnr_db": 12.345, "ssim": 0.5}
    found["same"] = {"judged": {"kept": 0.25, "judge": judged["judge"]}}
    found["mine"] = {"judged": {"kept": 0.5, "judge": {"sha256": "other", "accuracy": {}}}}
    baselines.write_text(json.dumps(found))

    words = ["--data", faces, "--run", run, "--probes", probes, "--private"]
    assert command("evaluate", "--model", out, *words).exit_code == 0
    again = checkpoint.load(out / "model.safetensors").metrics
    assert again["judged"] == judged
    card = (out / "README.md").read_text()
    assert f"| the mean picture | 0 | {found['pca']['0']:.2f} |" in card
    assert "| `book`, as published | 100 | 12.35 | 0.500 |" in card
    assert "The judged figures of `mine` are of other probes than this model's" in card


def test_a_card_compares_with_a_checkpoint_beside_it(tmp_path: Path, command: Command) -> None:
    copy = shutil.copytree(ROOT / "models" / "faces", tmp_path / "mine")
    other = ROOT / "models" / "avatars"
    for _ in range(2):  # what was beside it stays there
        result = command("card", "--model", copy, "--beside", other)
        assert result.exit_code == 0, result.output
    figures = json.loads((other / "metrics.json").read_text())
    beside = json.loads((copy / "baselines.json").read_text())
    assert beside["avatars"] == figures
    assert command("card", "--model", copy).exit_code == 0
    card = (copy / "README.md").read_text()
    assert card.count(f"| `avatars` | 32 | {figures['psnr_db']:.2f} |") == 1
    assert "| `book`, as published |" in card


def test_data_that_probes_cannot_judge_is_told_before_the_training(
    tmp_path: Path, avatars: Path, probes: Path, command: Command
) -> None:
    out, run = tmp_path / "out", tmp_path / "run-fit"
    words = ["--data", avatars, "--out", out, "--run", run, "--probes", probes]
    result = command("fit", *words, *SMALL)
    assert result.exit_code == 1
    assert "the data needs a label 'male'" in result.output.splitlines()[-1]
    assert not out.exists()
    assert not (run / "state.safetensors").exists()


def test_probes_need_labels(tmp_path: Path, avatars: Path, command: Command) -> None:
    words = ["--data", avatars, "--out", tmp_path / "p", "--run", tmp_path / "run"]
    result = command("probes", *words)
    assert result.exit_code == 1
    assert "no label 'male'" in result.output.splitlines()[-1]


def test_a_file_that_holds_no_probes_is_told(tmp_path: Path, faces: Path, command: Command) -> None:
    words = ["--data", faces, "--out", tmp_path / "out", "--run", tmp_path / "run"]
    result = command("fit", "--preset", "faces", *words, "--probes", faces, *SMALL)
    assert result.exit_code == 1
    assert "no classifier can be read" in result.output.splitlines()[-1]


def test_a_guide_is_trained_apart_from_the_judge(
    tmp_path: Path, faces: Path, probes: Path, command: Command
) -> None:
    guide, run = tmp_path / "guide.safetensors", tmp_path / "run"
    words = ["--data", faces, "--out", guide, "--run", run, "--epochs", 1]
    told = command("probes", *words, "--label", "glasses", "--seed", 1).output
    assert "glasses: " in told
    assert "male" not in told
    fit = ["fit", "--preset", "faces-finish", "--data", faces, "--out", tmp_path / "out"]
    fit += ["--run", tmp_path / "run-fit", *SMALL]
    result = command(*fit, "--probes", probes, "--guide", probes)
    assert result.exit_code == 1
    assert "must not guide" in result.output.splitlines()[-1]
    result = command(*fit, "--probes", probes)
    assert result.exit_code == 1
    assert "and there is no --guide" in result.output.splitlines()[-1]
    result = command(*fit, "--probes", probes, "--guide", guide)
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
