"""A full disk: one sentence, and a whole earlier save. A read-only one: refused at once."""

import hashlib
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.conftest import Command
from tests.training.processes import ROOT, small_fit, start
from training.fit import saves

UNSHARE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def refused(words: list[str], file_limit: int) -> str:
    """The last line of a command that fails; nothing before it is a traceback."""
    process = start(*words, file_limit=file_limit)
    output = process.communicate()[0]
    assert process.returncode == 1, output
    assert "Traceback" not in output
    last = output.strip().splitlines()[-1]
    assert last.startswith("error: ")
    return last


def test_a_save_that_cannot_be_written_leaves_the_one_before(
    tmp_path: Path, faces: Path, command: Command
) -> None:
    out, run = tmp_path / "out", tmp_path / "run"
    words = small_fit(faces, out, run)
    assert command(*words, "--max-minutes", 0).exit_code == 0
    file = run / saves.FILE
    before, size = sha256(file), file.stat().st_size
    assert size > (run / "images.npy").stat().st_size
    error = refused(words, file_limit=size - 1)
    assert "state.next.safetensors could not be written (File too large). When there is" in error
    assert f"the same command resumes from step 0, which is saved in {run}" in error
    assert sha256(file) == before
    assert [f.name for f in run.iterdir() if f.name.startswith(".state")] == []
    again = command(*words)
    assert again.exit_code == 0, again.output
    assert saves.last_step(run) == 16


def test_decoded_images_that_do_not_fit_are_refused_before_they_are_decoded(
    tmp_path: Path, faces: Path
) -> None:
    run = tmp_path / "run"
    error = refused(small_fit(faces, tmp_path / "out", run), file_limit=20_000)
    assert "images.npy could not be written" in error
    assert "the decoded images take 0.1 MB" in error
    assert [f.name for f in run.iterdir() if "images" in f.name] == []


def mount_is_permitted() -> bool:
    try:
        mount = [*UNSHARE, "mount", "-t", "tmpfs", "tmpfs", "/tmp"]
        return subprocess.run(mount, capture_output=True).returncode == 0
    except OSError:
        return False


SCRIPT = """
set -u
mount -t tmpfs -o size=8m tmpfs "$RUN"
$FIT --max-minutes 0 || exit 21
cat /dev/zero > "$RUN/fill" 2>/dev/null
$FIT && exit 22
echo "status $?"
rm "$RUN/fill"
$FIT || exit 23
"""


@pytest.mark.skipif(not mount_is_permitted(), reason="needs to mount a file system")
def test_a_disk_that_is_full_in_the_training(tmp_path: Path, faces: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    fit = [sys.executable, "-m", "training", *small_fit(faces, tmp_path / "out", run)]
    result = subprocess.run(
        [*UNSHARE, "sh", "-c", SCRIPT],
        cwd=ROOT,
        env={**os.environ, "RUN": str(run), "FIT": shlex.join(fit), "COLUMNS": "400"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert result.returncode == 0, result.stdout
    assert "status 1\n" in result.stdout
    assert "Traceback" not in result.stdout
    [error] = [line for line in result.stdout.splitlines() if line.startswith("error: ")]
    assert "could not be written (No space left on device). When there is space, the same" in error
    assert f"resumes from step 0, which is saved in {run}" in error
    assert (tmp_path / "out" / "README.md").is_file()


@pytest.mark.skipif(not mount_is_permitted(), reason="needs to mount a file system")
def test_a_disk_that_is_full_for_tensorboard_does_not_prevent_a_save(
    tmp_path: Path, faces: Path
) -> None:
    run = tmp_path / "run"
    board = run / "tensorboard"
    board.mkdir(parents=True)
    words = [*small_fit(faces, tmp_path / "out", run), "--epochs", "40", "--save-minutes", "100"]
    fit = [sys.executable, "-m", "training", *words, "--tensorboard"]
    result = subprocess.run(
        [*UNSHARE, "sh", "-c", f"mount -t tmpfs -o size=4k tmpfs {board} && {shlex.join(fit)}"],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "400"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert result.returncode == 1, result.stdout
    assert "Traceback" not in result.stdout
    [error] = [line for line in result.stdout.splitlines() if line.startswith("error: ")]
    step = saves.last_step(run)
    assert step is not None
    assert step > 0
    assert "could not be written (No space left on device). When there is space, the same" in error
    assert f"resumes from step {step}, which is saved in {run}" in error


@pytest.mark.skipif(not mount_is_permitted(), reason="needs to mount a file system")
def test_a_disk_that_is_read_only(tmp_path: Path, faces: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    fit = [sys.executable, "-m", "training", *small_fit(faces, disk / "out", tmp_path / "run")]
    mount = f"mount -t tmpfs -o ro tmpfs {disk} && exec {shlex.join(fit)}"
    result = subprocess.run(
        [*UNSHARE, "sh", "-c", mount],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "400"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1, result.stderr
    assert f"--out is {disk}/out, but {disk} cannot be written to" in result.stderr
    assert not (tmp_path / "run").exists()
