from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.training.conftest import Command, run_training
from tests.training.processes import small_fit
from training.cli import display
from vae import checkpoint


def words(data: Path, base: Path, out: Path, run: Path, *more: str) -> list[str]:
    line = f"""fit --preset faces-sharp --data {data} --init-from {base} --out {out} --run {run}
        --epochs 2 --batch-size 4 --window 16 --detail-channels 4 --weights fp32 --device cpu"""
    return [*line.split(), *more]


@pytest.fixture(scope="module")
def base(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model of the same data."""
    folder = tmp_path_factory.mktemp("base")
    ran = run_training(small_fit(faces, folder, folder / "run"))
    assert ran.exit_code == 0, ran.output
    return folder


def test_a_branch_is_added_and_everything_else_stays(
    tmp_path: Path, faces: Path, base: Path, command: Command
) -> None:
    out, run = tmp_path / "out", tmp_path / "run"
    stopped = command(*words(faces, base, out, run, "--max-minutes", "0"))
    assert stopped.exit_code == 0, stopped.output
    assert "Time is up at step 0 of 12" in stopped.output
    ran = command(*words(faces, base, out, run))
    assert ran.exit_code == 0, ran.output
    before = load_file(base / "model.safetensors")
    after = load_file(out / "model.safetensors")
    added = {name for name in after if name.startswith("model.detail.")}
    assert added
    kept = before.keys() & after.keys()
    assert before.keys() - kept <= {name for name in before if name.startswith("prior.")}
    assert after.keys() - kept == added
    assert [name for name in kept if not after[name].equal(before[name])] == []
    metrics = checkpoint.load(out / "model.safetensors").metrics
    assert metrics["psnr_db"] != metrics["at_detail_1"]["psnr_db"]
    assert (run / "samples" / "detail-0002.png").is_file()
    assert (out / "README.md").is_file()


def test_without_a_checkpoint_to_begin_with_it_is_refused(
    tmp_path: Path, faces: Path, command: Command
) -> None:
    ran = command(*f"fit --preset faces-sharp --data {faces} --out {tmp_path / 'out'}".split())
    assert ran.exit_code == 2
    assert "init-from" in ran.output


def test_a_second_stage_begins_at_the_branch_of_the_first_and_both_are_averaged(
    tmp_path: Path,
    faces: Path,
    base: Path,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, two, average = (tmp_path / name for name in ("one", "two", "average"))
    assert command(*words(faces, base, one, tmp_path / "run")).exit_code == 0
    again = words(faces, one, two, tmp_path / "run2", "--max-minutes", "0")
    again[2] = "faces-sharp-stage2"
    ran = command(*again)
    assert ran.exit_code == 0, ran.output
    first, second = (load_file(out / "model.safetensors") for out in (one, two))
    branch = [name for name in first if name.startswith("model.detail.")]
    assert [name for name in branch if not second[name].equal(first[name])] == []
    monkeypatch.setattr(display, "MIN_SECONDS", 0.0)
    ran = command("average-detail", "--models", one, two, "--gain", "1.5", "--out", average)
    assert ran.exit_code == 0, ran.output
    assert "Reading checkpoints: 2 of 2 checkpoints" in ran.output
    assert "Averaging the detail branches: took" in ran.output
    averaged = load_file(average / "model.safetensors")
    changed = [name for name in first if not averaged[name].equal(first[name])]
    assert changed == [name for name in changed if name in branch] != []
    assert checkpoint.load(average / "model.safetensors").provenance["average"]["gain"] == 1.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--gain", "0"], "gain is 0.0; it must be above 0"),
        ([], "model.safetensors has no detail branch"),
    ],
)
def test_what_cannot_be_averaged_is_refused(
    tmp_path: Path, base: Path, command: Command, options: list[str], message: str
) -> None:
    out = tmp_path / "out"
    ran = command("average-detail", "--models", base, "--out", out, *options)
    assert ran.exit_code == 1
    assert message in " ".join(ran.output.split())
    assert not out.exists()
