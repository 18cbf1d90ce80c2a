"""The loop of every training: steps and saves."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from training.fit.stopping import Stopped, StopSignals


@dataclass(frozen=True)
class Progress:
    """The state of a run after a step.

    Attributes:
        step: steps done.
        steps: steps of the whole run.
        terms: what the step measured, by name.
        epoch_ended: number of the epoch that this step ended, or None.
    """

    step: int
    steps: int
    terms: Mapping[str, float]
    epoch_ended: int | None


class ResumableRun(Protocol):
    """A run that can be interrupted anywhere and resumed from its last save.

    Attributes:
        step: steps done.
        steps: steps of the whole run.
        steps_per_epoch: of an epoch.
    """

    step: int
    steps: int
    steps_per_epoch: int

    def train_step(self) -> Mapping[str, float]:
        """Train one step, and return what it measured by name."""

    def save(self) -> None:
        """Write everything that resuming needs."""


def run_loop(
    run: ResumableRun, report: Callable[[Progress], None], max_minutes: float, save_minutes: float
) -> bool:
    """Train to the end of the run or until time is up; True if it is done.

    On Ctrl-C or SIGTERM the step is ended and saved.

    Args:
        run: what to train.
        report: called after every step; the run is saved if it raises an ``OSError``.
        max_minutes: of training in this call.
        save_minutes: between saves; one more is made at the end.

    Raises:
        Stopped: on Ctrl-C or SIGTERM, after the save.
    """
    end = time.monotonic() + 60.0 * max_minutes
    next_save = time.monotonic() + 60.0 * save_minutes
    with StopSignals() as stop:
        while run.step < run.steps and time.monotonic() < end and stop.received is None:
            terms = run.train_step()
            ended = run.step % run.steps_per_epoch == 0 or run.step == run.steps
            epoch = math.ceil(run.step / run.steps_per_epoch) if ended else None
            try:
                report(Progress(run.step, run.steps, terms, epoch))
            except OSError:  # a log or an image could not be written; the steps are kept
                run.save()
                raise
            if time.monotonic() >= next_save:
                run.save()
                next_save = time.monotonic() + 60.0 * save_minutes
        run.save()
    if stop.received is not None:
        raise Stopped(stop.received)
    return run.step >= run.steps
