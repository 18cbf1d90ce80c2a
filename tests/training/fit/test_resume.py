"""A real process is killed in the middle; the same command then ends where an unbroken run does."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file

from tests.training.conftest import Command

ROOT = Path(__file__).parents[3]
STEPS = 16


def words(data: Path, out: Path, run: Path) -> list[str]:
    """The faces recipe, small: flips, balance, warm-ups, averaged weights; saved every step."""
    return f"""fit --preset faces --data {data} --out {out} --run {run} --size 32 --latent-dim 4
        --batch-size 6 --epochs {STEPS // 4} --weights fp32 --save-minutes 0 --device cpu""".split()


def start(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "training", *arguments],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def saved_step(run: Path) -> int:
    if not (run / "state.safetensors").is_file():
        return 0
    with safe_open(run / "state.safetensors", framework="pt") as reader:
        return int(reader.metadata()["step"])


def test_killed_and_given_again_ends_as_if_unbroken(
    tmp_path: Path, faces: Path, command: Command
) -> None:
    whole, out, run = tmp_path / "whole", tmp_path / "out", tmp_path / "run"
    unbroken = command(*words(faces, whole, tmp_path / "run-whole"))
    assert unbroken.exit_code == 0, unbroken.output

    broken = start(*words(faces, out, run))
    while saved_step(run) < 3:
        assert broken.poll() is None, broken.communicate()[0].decode()
        time.sleep(0.01)
    broken.kill()
    broken.communicate()
    assert broken.returncode == -signal.SIGKILL
    stopped_at = saved_step(run)
    assert 3 <= stopped_at < STEPS
    assert not out.exists()

    again = command(*words(faces, out, run))
    assert again.exit_code == 0, again.output
    assert f"Going on from step {stopped_at} of {STEPS}" in again.output
    expected = load_file(whole / "model.safetensors")
    found = load_file(out / "model.safetensors")
    assert found.keys() == expected.keys()
    assert [name for name in expected if not found[name].equal(expected[name])] == []
