"""A killed process ends, when its command is given again, where an uninterrupted run does."""

import csv
import io
import shutil
import signal
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.training import sources
from tests.training.conftest import Command
from tests.training.processes import small_fit, start
from training.fit import saves

STEPS = 16


def saved_step(run: Path) -> int:
    return saves.last_step(run) or 0


def test_a_killed_run_resumes_to_the_same_weights(
    tmp_path: Path, faces: Path, command: Command
) -> None:
    uninterrupted, out, run = tmp_path / "uninterrupted", tmp_path / "out", tmp_path / "run"
    finished = command(*small_fit(faces, uninterrupted, tmp_path / "run-uninterrupted"))
    assert finished.exit_code == 0, finished.output

    broken = start(*small_fit(faces, out, run))
    while saved_step(run) < 3:
        assert broken.poll() is None, broken.communicate()[0]
        time.sleep(0.01)
    broken.kill()
    broken.communicate()
    assert broken.returncode == -signal.SIGKILL
    stopped_at = saved_step(run)
    assert 3 <= stopped_at < STEPS
    assert not out.exists()

    again = command(*small_fit(faces, out, run))
    assert again.exit_code == 0, again.output
    assert f"Resuming from step {stopped_at} of {STEPS}" in again.output
    expected = load_file(uninterrupted / "model.safetensors")
    found = load_file(out / "model.safetensors")
    assert found.keys() == expected.keys()
    assert [name for name in expected if not found[name].equal(expected[name])] == []


def rewrite(data: Path, change: Callable[[list[list[str]]], None]) -> None:
    """Change the rows of a manifest, the header not counted."""
    with zipfile.ZipFile(data) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    header, *rows = csv.reader(io.StringIO(files.pop("manifest.csv").decode()))
    change(rows)
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.writestr("manifest.csv", sources.table(rows, header))


def move_to_test(rows: list[list[str]]) -> None:
    rows[3][1] = "test"


def swap_splits(rows: list[list[str]]) -> None:
    """As many rows in each split as before."""
    rows[3][1], rows[-1][1] = "test", "train"


def change_label(rows: list[list[str]]) -> None:
    rows[3][2] = "0" if rows[3][2] == "1" else "1"


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (move_to_test, "which images are in the train split; the labels"),
        (swap_splits, "which images are in the train split"),
        (change_label, "the labels"),
    ],
    ids=["moved", "swapped", "label"],
)
def test_a_run_does_not_resume_on_another_split_or_other_labels(
    tmp_path: Path,
    faces: Path,
    command: Command,
    change: Callable[[list[list[str]]], None],
    difference: str,
) -> None:
    data, out, run = tmp_path / "faces.zip", tmp_path / "out", tmp_path / "run"
    shutil.copy(faces, data)
    arguments = small_fit(data, out, run)
    assert command(*arguments, "--max-minutes", 0).exit_code == 0
    rewrite(data, change)
    refused = command(*arguments)
    assert refused.exit_code == 1
    error = refused.output.strip().splitlines()[-1]
    assert error.startswith(f"error: {run} holds a run that differs in ")
    assert difference in error
    assert error.endswith("Choose another --run folder, or begin anew with --restart")
    restarted = command(*arguments, "--restart", "--max-minutes", 0)
    assert restarted.exit_code == 0, restarted.output


def test_a_run_does_not_resume_on_an_image_that_was_replaced(
    tmp_path: Path, command: Command
) -> None:
    data, out, run = tmp_path / "data", tmp_path / "out", tmp_path / "run"
    sources.class_folders(data, 30, ["bare", "glasses"])
    arguments = [*small_fit(data, out, run), "--balance", "glasses"]
    assert command(*arguments, "--max-minutes", 0).exit_code == 0
    sources.disc(7777, 32, 24).save(data / "bare" / "003.png")
    refused = command(*arguments)
    assert refused.exit_code == 1
    assert "differs in the pixels of the images. Choose" in refused.output.strip().splitlines()[-1]


def test_a_run_resumes_when_files_were_only_touched(tmp_path: Path, command: Command) -> None:
    data, out, run = tmp_path / "data", tmp_path / "out", tmp_path / "run"
    sources.class_folders(data, 30, ["bare", "glasses"])
    arguments = [*small_fit(data, out, run), "--balance", "glasses", "--max-minutes", 0]
    assert command(*arguments).exit_code == 0
    for file in data.rglob("*.png"):
        file.touch()
    again = command(*arguments)
    assert again.exit_code == 0, again.output
