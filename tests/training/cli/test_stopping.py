"""Ctrl-C, SIGTERM, and two commands in one folder, through the command line."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.training.conftest import Command, run_training
from tests.training.processes import small_fit
from training.cli.run_folder import run_folder
from training.fit import saves
from training.fit.stopping import StopSignals

LONG = ["--epochs", "1000", "--save-minutes", "100"]  # the only save is that of the stop


def last_line(output: str) -> str:
    return output.strip().splitlines()[-1]


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """SIGINT as in a terminal: the background of a shell, where tests may run, ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@contextmanager
def signal_after_an_epoch(run: Path, signum: signal.Signals) -> Iterator[list[int | None]]:
    """Send this process a signal when a run has ended an epoch; gives the step saved before it."""
    saved: list[int | None] = []
    ended = threading.Event()

    def send() -> None:
        while not ended.wait(0.01):
            if list((run / "samples").glob("*.png")):
                saved.append(saves.last_step(run))
                os.kill(os.getpid(), signum)
                return

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield saved
    finally:
        ended.set()
        thread.join()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, faces: Path) -> Path:
    """The folder of a run with 16 steps, ``run``, and of its checkpoint, ``out``."""
    folder = tmp_path_factory.mktemp("finished")
    result = run_training(small_fit(faces, folder / "out", folder / "run"))
    assert result.exit_code == 0, result.output
    return folder


@pytest.mark.parametrize(
    ("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
def test_a_signal_saves_first(
    tmp_path: Path, faces: Path, command: Command, signum: signal.Signals, status: int
) -> None:
    out, run = tmp_path / "out", tmp_path / "run"
    words = [*small_fit(faces, out, run), *LONG]
    with signal_after_an_epoch(run, signum) as saved_before:
        stopped = command(*words)
    output, step = stopped.output, saves.last_step(run)
    assert stopped.exit_code == status, output
    assert saved_before == [None]
    assert step is not None
    assert step >= 4
    assert f"the same command resumes from step {step}, which is saved in {run}" in last_line(
        output
    )
    assert "Traceback" not in output
    assert not out.exists()
    resumed = command(*words, "--max-minutes", 0)
    assert resumed.exit_code == 0, resumed.output
    assert f"Resuming from step {step} of 4000" in resumed.output


@pytest.mark.parametrize(
    ("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
@pytest.mark.parametrize(
    ("resumes", "restart", "sentence"),
    [
        (True, False, "the same command resumes from step 16, which is saved in"),
        (True, True, "the same command without --restart resumes from step 16"),
        (False, False, "the same command begins anew; no step was saved"),
    ],
)
def test_a_signal_outside_the_training_says_how_to_go_on(
    finished: Path,
    capfd: pytest.CaptureFixture[str],
    signum: signal.Signals,
    status: int,
    resumes: bool,
    restart: bool,
    sentence: str,
) -> None:
    run = finished / "run"
    before = signal.getsignal(signal.SIGTERM)
    with (
        pytest.raises(SystemExit) as stopped,
        run_folder(run, resumes=resumes, restart=restart),
    ):
        signal.raise_signal(signum)
    assert stopped.value.code == status
    assert sentence in capfd.readouterr().err
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_first_signal_is_noted_and_the_second_acts() -> None:
    with StopSignals() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.received == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with StopSignals() as stop:
            signal.raise_signal(signal.SIGINT)
            assert stop.received is None
    finally:
        signal.signal(signal.SIGINT, before)


def test_two_commands_do_not_share_a_folder(finished: Path, faces: Path, command: Command) -> None:
    out, run = finished / "out", finished / "run"
    words = small_fit(faces, out, run)
    before = load_file(run / "state.safetensors")
    sentence = f"error: {run} is in use by another process: wait until it ends"
    with run_folder(run, resumes=False):
        other = command(*words, "--restart")
        assert other.exit_code == 1, other.output
        assert sentence in last_line(other.output)
        evaluate = command("evaluate", "--model", out, "--data", faces, "--run", run)
        assert evaluate.exit_code == 1, evaluate.output
        assert sentence in last_line(evaluate.output)
    after = load_file(run / "state.safetensors")
    assert all(after[name].equal(before[name]) for name in before)
    assert command(*words).exit_code == 0
