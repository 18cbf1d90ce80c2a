import math
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
    EventAccumulator,
)

from tests.training.fit.trainer_runs import stop_after, trainer
from training.fit import loss_log
from training.fit.loop import Progress
from training.fit.loss_log import LossLog

STEPS = [4, 8, 10, 12, 16]  # every 10th, and the ends of epochs of 4 steps


def run(folder: Path, stop: int = 16, tensorboard: bool = False) -> None:
    """A run of 16 steps, or one that is interrupted after its step ``stop``."""
    training, stopping = trainer(folder), stop_after(stop)
    with LossLog(folder, training.step, tensorboard) as log:

        def report(progress: Progress) -> None:
            log.add(progress)
            stopping(progress)

        training.run(report, save_minutes=math.inf)


def test_every_tenth_step_and_the_last_of_each_epoch_are_logged(tmp_path: Path) -> None:
    run(tmp_path)
    entries = loss_log.read(tmp_path)
    assert [entry["step"] for entry in entries] == STEPS
    assert all(
        set(entry) == {"step", "distortion", "rate (nats)", "learning rate"} for entry in entries
    )
    assert entries[0]["learning rate"] == pytest.approx(1e-3, rel=0.2)  # the end of the warm-up
    assert not (tmp_path / "tensorboard").exists()


def test_a_run_that_resumes_has_every_entry_once(tmp_path: Path) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    run(whole)
    with pytest.raises(KeyboardInterrupt):
        run(stopped, stop=10)  # without a save: the run begins anew
    assert [entry["step"] for entry in loss_log.read(stopped)] == [4, 8, 10]
    run(stopped)
    assert loss_log.read(stopped) == loss_log.read(whole)


def test_entries_before_the_step_are_kept(tmp_path: Path) -> None:
    run(tmp_path)
    with LossLog(tmp_path, 8):
        assert [entry["step"] for entry in loss_log.read(tmp_path)] == [4, 8]


@pytest.mark.parametrize("damage", ['{"step": 20, "dist', "[]", "{}", "\x00\x00"])
def test_a_damaged_line_is_left_out(tmp_path: Path, damage: str) -> None:
    run(tmp_path)
    with (tmp_path / loss_log.FILE).open("a") as file:
        file.write(damage)
    assert [entry["step"] for entry in loss_log.read(tmp_path)] == STEPS


def test_tensorboard_can_read_the_terms(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, stop=8, tensorboard=True)
    run(tmp_path, tensorboard=True)
    board = EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    assert {"distortion", "rate (nats)", "learning rate"} <= set(board.Tags()["scalars"])
    assert [event.step for event in board.Scalars("distortion")] == STEPS
