"""``avatars``: stopped by a signal, and refused before anything is drawn."""

import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

from tests.training.conftest import Command


def test_a_signal_ends_the_drawing_and_its_processes(tmp_path: Path, command: Command) -> None:
    out = tmp_path / "avatars"

    def stop_after_the_first() -> None:
        while not list(out.glob("images/*.png")):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    stopper = threading.Thread(target=stop_after_the_first)
    stopper.start()
    result = command("avatars", "--out", out, "-n", 1000, "--test", 0, "--workers", 1)
    stopper.join()
    assert result.exit_code == 143, result.output
    assert result.output.strip().splitlines()[-1] == "stopped: the same command begins anew"
    assert 0 < len(list(out.glob("images/*.png"))) < 1000
    assert not (out / "manifest.csv").exists()
    assert multiprocessing.active_children() == []


def test_a_file_in_place_of_the_folder(tmp_path: Path, command: Command) -> None:
    (tmp_path / "file").write_text("mine")
    result = command("avatars", "--out", tmp_path / "file")
    assert result.exit_code == 1
    assert "--out is" in result.output
    assert "is not a folder: give a folder" in " ".join(result.output.split())
