"""A full disk: one sentence, and a whole earlier save. A read-only one: refused at once."""

import hashlib
import os
import resource
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.training.conftest import Command
from tests.training.processes import ROOT, small_fit
from training.fit import saves

UNSHARE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@contextmanager
def file_limit(size: int) -> Iterator[None]:
    """Writing a file beyond this size fails as on a full disk, with another number."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def error_of(output: str) -> str:
    """The one line of an error; nothing before it is a traceback."""
    assert "Traceback" not in output
    [error] = [line for line in output.splitlines() if line.startswith("error: ")]
    return error


def test_a_save_that_cannot_be_written_leaves_the_one_before(
    tmp_path: Path, faces: Path, command: Command
) -> None:
    out, run = tmp_path / "out", tmp_path / "run"
    words = small_fit(faces, out, run)
    assert command(*words, "--max-minutes", 0).exit_code == 0
    file = run / saves.FILE
    before, size = sha256(file), file.stat().st_size
    assert size > (run / "images.npy").stat().st_size
    with file_limit(size - 1):
        refused = command(*words)
    assert refused.exit_code == 1, refused.output
    error = error_of(refused.output)
    assert "state.next.safetensors could not be written (File too large). When there is" in error
    assert f"the same command resumes from step 0, which is saved in {run}" in error
    assert sha256(file) == before
    assert [f.name for f in run.iterdir() if f.name.startswith(".state")] == []
    again = command(*words)
    assert again.exit_code == 0, again.output
    assert saves.last_step(run) == 16


def test_decoded_images_that_do_not_fit_are_refused_before_they_are_decoded(
    tmp_path: Path, faces: Path, command: Command
) -> None:
    run = tmp_path / "run"
    with file_limit(20_000):
        refused = command(*small_fit(faces, tmp_path / "out", run))
    assert refused.exit_code == 1, refused.output
    error = error_of(refused.output)
    assert "images.npy could not be written" in error
    assert "the decoded images take 0.1 MB" in error
    assert [f.name for f in run.iterdir() if "images" in f.name] == []


def mount_is_permitted() -> bool:
    try:
        mount = [*UNSHARE, "mount", "-t", "tmpfs", "tmpfs", "/tmp"]
        return subprocess.run(mount, capture_output=True).returncode == 0
    except OSError:
        return False


def in_own_mounts(script: str, **environment: object) -> tuple[int, str]:
    """Exit status and output of a shell script whose mounts end with it."""
    result = subprocess.run(
        [*UNSHARE, "sh", "-euc", script],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "400", **{k: str(v) for k, v in environment.items()}},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return result.returncode, result.stdout


def fit_in_a_shell(data: Path, out: Path, run: Path, *more: str) -> str:
    return shlex.join([sys.executable, "-m", "training", *small_fit(data, out, run), *more])


SCRIPT = """
cp -a "$RUN" "$AFTER"
mount -t tmpfs -o size=8m tmpfs "$RUN"
cp -a "$AFTER/." "$RUN"
cat /dev/zero > "$RUN/fill" 2>/dev/null || true
status=0
$FIT || status=$?
rm -r "$RUN/fill" "$AFTER"
cp -a "$RUN" "$AFTER"
exit $status
"""


@pytest.mark.skipif(not mount_is_permitted(), reason="needs to mount a file system")
def test_a_disk_that_is_full_in_the_training(tmp_path: Path, faces: Path, command: Command) -> None:
    out, run, after = tmp_path / "out", tmp_path / "run", tmp_path / "after"
    assert command(*small_fit(faces, out, run), "--max-minutes", 0).exit_code == 0
    fit = fit_in_a_shell(faces, out, run)
    status, output = in_own_mounts(SCRIPT, RUN=run, AFTER=after, FIT=fit)
    assert status == 1, output
    error = error_of(output)
    assert "could not be written (No space left on device). When there is space, the same" in error
    assert f"resumes from step 0, which is saved in {run}" in error
    resumed = command(*small_fit(faces, out, after))
    assert resumed.exit_code == 0, resumed.output
    assert saves.last_step(after) == 16
    assert (out / "README.md").is_file()


@pytest.mark.skipif(not mount_is_permitted(), reason="needs to mount a file system")
def test_a_disk_that_is_full_for_tensorboard_does_not_prevent_a_save(
    tmp_path: Path, faces: Path
) -> None:
    run = tmp_path / "run"
    board = run / "tensorboard"
    board.mkdir(parents=True)
    more = ["--epochs", "40", "--save-minutes", "100", "--tensorboard"]
    fit = fit_in_a_shell(faces, tmp_path / "out", run, *more)
    status, output = in_own_mounts(f"mount -t tmpfs -o size=4k tmpfs {board}; {fit}")
    assert status == 1, output
    error = error_of(output)
    step = saves.last_step(run)
    assert step is not None
    assert step > 0
    assert "could not be written (No space left on device). When there is space, the same" in error
    assert f"resumes from step {step}, which is saved in {run}" in error


@pytest.mark.skipif(not mount_is_permitted(), reason="needs to mount a file system")
def test_a_disk_that_is_read_only(tmp_path: Path, faces: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    fit = fit_in_a_shell(faces, disk / "out", tmp_path / "run")
    status, output = in_own_mounts(f"mount -t tmpfs -o ro tmpfs {disk}; {fit}")
    assert status == 1, output
    assert f"--out is {disk}/out, but {disk} cannot be written to" in output
    assert not (tmp_path / "run").exists()
