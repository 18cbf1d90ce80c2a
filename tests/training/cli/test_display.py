"""What a run shows while it works: in a log and in a terminal."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.cli.test_commands import fit
from tests.training.conftest import Command
from training.cli import display

ROOT = Path(__file__).parents[3]


def test_a_log_has_lines_with_speed_losses_and_time(
    tmp_path: Path, faces: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display, "LINE_SECONDS", 0.02)
    monkeypatch.setattr(display, "MIN_SECONDS", 0.0)
    result = command(*fit(faces, tmp_path / "out", "--run", tmp_path / "run", "--epochs", 3))
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    state = (
        r"Training: \d+ of 12 steps, [\d.]+ images/s, distortion \S+, rate \(nats\) \S+, "
        r"learning rate \S+, 0:00:\d\d "
    )
    assert any(re.match(state + "left", line) for line in lines), result.output
    assert any(re.match(state.removesuffix(r"0:00:\d\d ") + "took ", line) for line in lines)
    ended = [name for name, _, rest in (line.partition(": ") for line in lines) if "took" in rest]
    assert ended == [
        "Decoding images",
        "Training",
        "Encoding the train split",
        "Fitting the prior",
        "Fitting the directions",
        "Measuring the residuals",
        "Evaluating reconstructions",
        "Measuring train images",
        "Writing the report",
    ]
    assert any(re.match(r"Writing the report: 0:00:\d\d so far", line) for line in lines)
    assert "\x1b" not in result.output


def test_a_classifier_shows_its_progress(
    tmp_path: Path, faces: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display, "LINE_SECONDS", 0.02)
    words = ["classifier", "--data", faces, "--out", tmp_path / "c.safetensors"]
    words += ["--run", tmp_path / "run", "--network", "convnet", "--epochs", 2]
    result = command(*words)
    assert result.exit_code == 0, result.output
    pattern = r"Training the classifier: 0:00:\d\d so far; \d+ of \d+ images, "
    assert any(re.match(pattern, line) for line in result.output.splitlines()), result.output


def test_a_terminal_has_bars(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    words = ["-m", "training", "avatars", "--out", str(tmp_path), "-n", "40", "--test", "0"]
    process = subprocess.Popen(
        [sys.executable, *words, "--workers", "1"],
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 4096):
            shown += part
    except OSError:  # the other end was closed
        pass
    os.close(ours)
    assert process.wait(60) == 0, shown
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())
    assert re.search(r"Drawing portraits ━+ +\d+ of 40 images", text), text
    assert "40 portraits" in text
