"""The losses of a run by step: in a file of its working folder, and for TensorBoard on request."""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from training.fit.loop import Progress
from vae.atomic_file import atomic_write

FILE = "losses.jsonl"
TENSORBOARD = "tensorboard"  # folder
LOG_STEPS = 10  # between two entries


class LossLog:
    """Writes the terms of every 10th step, and of the last step of each epoch.

    ``losses.jsonl`` has a JSON object a line: ``step`` and the terms by name.
    """

    def __init__(self, folder: Path, step: int, tensorboard: bool = False) -> None:
        """Open the log of a run; entries of later steps than the run's are removed.

        Args:
            folder: of the run.
            step: steps that the run has done: 0, or where it resumes.
            tensorboard: whether to write event files too.
        """
        folder.mkdir(parents=True, exist_ok=True)
        kept = [json.dumps(row) + "\n" for row in read(folder) if row["step"] <= step]
        with atomic_write(folder / FILE) as file:
            file.write("".join(kept).encode())
        self._open = ExitStack()
        self._file = self._open.enter_context((folder / FILE).open("a"))
        self._board = None
        if tensorboard:
            from torch.utils.tensorboard import SummaryWriter  # takes seconds

            writer = SummaryWriter(str(folder / TENSORBOARD), purge_step=step)
            self._board = self._open.enter_context(writer)

    def add(self, progress: Progress) -> None:
        """Write the terms of a step, if it is one of those that are logged."""
        if progress.step % LOG_STEPS and progress.epoch_ended is None:
            return
        self._file.write(json.dumps({"step": progress.step, **progress.terms}) + "\n")
        self._file.flush()
        if self._board is not None:
            for name, value in progress.terms.items():
                self._board.add_scalar(name, value, progress.step)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.close()


def read(folder: Path) -> list[Mapping[str, float]]:
    """The entries of a run in order, empty if there is no log; a damaged line is left out."""
    file = folder / FILE
    if not file.is_file():
        return []
    rows = map(_row, file.read_text(errors="replace").splitlines())
    return [row for row in rows if row is not None]


def _row(line: str) -> Mapping[str, float] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and isinstance(row.get("step"), int) else None
