"""A real process is killed in the middle; the same command then ends where an unbroken run does."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file

ROOT = Path(__file__).parent.parent.parent
STEPS = 16


def start(data: Path, out: Path, run: Path) -> subprocess.Popen[bytes]:
    """The faces recipe, small, with flips, balance, warm-ups and averaged weights, saved a step."""
    words = f"""fit --preset faces --data {data} --out {out} --run {run} --size 32 --latent-dim 4
        --batch-size 6 --epochs {STEPS // 4} --weights fp32 --save-minutes 0 --device cpu"""
    return subprocess.Popen(
        [sys.executable, "-m", "training", *words.split()],
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


def test_killed_and_given_again_ends_as_if_unbroken(tmp_path: Path, faces: Path) -> None:
    whole = start(faces, tmp_path / "whole", tmp_path / "run-whole")
    run = tmp_path / "run"
    broken = start(faces, tmp_path / "out", run)
    while saved_step(run) < 3:
        assert broken.poll() is None, broken.communicate()[0].decode()
        time.sleep(0.01)
    broken.kill()
    broken.communicate()
    assert broken.returncode == -signal.SIGKILL
    assert 3 <= saved_step(run) < STEPS
    assert not (tmp_path / "out").exists()

    again = start(faces, tmp_path / "out", run)
    told = again.communicate()[0].decode()
    assert again.returncode == 0, told
    assert f"of {STEPS}" in told.partition("Going on from step ")[2]
    assert whole.communicate()[0] is not None
    assert whole.returncode == 0
    assert saved_step(run) == saved_step(tmp_path / "run-whole") == STEPS

    expected = load_file(tmp_path / "whole" / "model.safetensors")
    found = load_file(tmp_path / "out" / "model.safetensors")
    assert found.keys() == expected.keys()
    assert [name for name in expected if not found[name].equal(expected[name])] == []
