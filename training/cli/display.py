"""Shows the tasks that run: as bars in a terminal, as a line every 30 seconds in a log."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from training import progress
from training.cli.terminal import console
from training.progress import Task

LINE_SECONDS = 30.0  # between two lines of a log
MIN_SECONDS = 1.0  # a task that took less leaves no line
REFRESHES_PER_SECOND = 4
BAR_WIDTH = 24  # characters


@contextmanager
def progress_display() -> Iterator[None]:
    """Show the tasks that run inside this context.

    An outermost task that took a second or more leaves one line with its last state.
    """
    shown_by = _bars if console.is_interactive else _lines
    with progress.watch(_print_summary) as running, shown_by(running):
        yield


def _print_summary(task: Task) -> None:
    if task.elapsed >= MIN_SECONDS:
        _print(task.summary())


def _print(line: str) -> None:
    console.print(line, highlight=False, soft_wrap=True)


def _bars(running: Sequence[Task]) -> Live:
    """One row for each task, redrawn in place."""
    return Live(
        get_renderable=lambda: _table(list(running)),
        console=console,
        transient=True,
        refresh_per_second=REFRESHES_PER_SECOND,
    )


def _table(running: Sequence[Task]) -> Table:
    rows = Table.grid(padding=(0, 1))
    for task in running:
        bar = ProgressBar(task.total, task.done, BAR_WIDTH, pulse=task.total is None)
        rows.add_row(task.name, bar, task.text())
    return rows


@contextmanager
def _lines(running: Sequence[Task]) -> Iterator[None]:
    """A thread that prints a line at each interval, also while one step takes longer than that."""
    ended = threading.Event()

    def report() -> None:
        while not ended.wait(LINE_SECONDS):
            if tasks := list(running):
                _print(progress.line(tasks))

    thread = threading.Thread(target=report, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
