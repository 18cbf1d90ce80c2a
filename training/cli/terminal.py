"""The terminal: errors in one line, and the options that commands share."""

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import torch
import tyro
from rich.console import Console
from rich.logging import RichHandler

from training.data.dataset import DataError
from training.fit.errors import TrainingError
from training.fit.stopping import Stopped, raise_on_sigterm
from vae.checkpoint import Checkpoint, CheckpointError

PROGRAM = "python -m training"
console = Console(stderr=True, markup=False)
console.soft_wrap = not console.is_terminal  # a log has each message in one line, however long

Device = Literal["auto", "cpu", "cuda"]
OptionalPath = Annotated[Path | None, tyro.conf.arg(metavar="PATH")]


def pick_device(name: Device) -> torch.device:
    """The device of this name; ``auto`` is CUDA where there is a device.

    Raises:
        TrainingError: if it is ``cuda`` and there is none.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise TrainingError("--device is cuda, but PyTorch sees no CUDA device")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def print_metrics(published: Checkpoint, folder: Path) -> None:
    """The figures of a checkpoint that was just written."""
    for name, value in published.metrics.items():
        if not isinstance(value, dict):
            console.print(
                f"  {name}: {value:.4g}" if isinstance(value, float) else f"  {name}: {value}"
            )
    console.print(f"Wrote {folder}: model.safetensors, metrics.json, README.md, report/index.html")


@contextmanager
def plain_errors() -> Iterator[None]:
    """Report an error of the input in one line and exit with 1; on Ctrl-C 130, on SIGTERM 143."""
    logging.basicConfig(
        level=logging.WARNING,
        format="%(message)s",
        handlers=[_log_handler()],
    )
    logging.getLogger("training").setLevel(logging.INFO)
    try:
        with raise_on_sigterm():
            yield
    except (DataError, TrainingError, CheckpointError, ValueError, OSError) as error:
        console.print(f"error: {error}", style="red", highlight=False, soft_wrap=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt as stop:
        console.print("stopped: the same command begins anew")
        raise SystemExit(exit_status(stop)) from None


def _log_handler() -> logging.Handler:
    """Shows messages above the bars of a terminal; in a log each is one line."""
    if console.is_terminal:
        return RichHandler(console=console, show_time=False, show_path=False)
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)-8s %(message)s"))
    return handler


def exit_status(stop: KeyboardInterrupt) -> int:
    """Of a command that a signal stopped: 128 and the number of the signal."""
    return 128 + (stop.signum if isinstance(stop, Stopped) else signal.SIGINT)
