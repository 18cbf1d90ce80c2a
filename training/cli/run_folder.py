"""The folders of a command: checked before it starts, and used by one process at a time."""

import errno
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from training.cli.terminal import console, exit_status
from training.data import image_cache
from training.data.files import MANIFEST
from training.fit import loss_log, saves
from training.fit.errors import TrainingError
from training.fit.stopping import raise_on_sigterm
from vae.atomic_file import remove_partial

LOCK = ".lock"
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
EPOCHS = "samples"  # folder of the samples of each epoch
WRITTEN = (
    *saves.FILES,
    EPOCHS,
    loss_log.FILE,
    loss_log.TENSORBOARD,
    "report",
    image_cache.PIXELS,
    image_cache.INDEX,
)
PARTIAL = (*saves.FILES, loss_log.FILE, image_cache.PIXELS, image_cache.INDEX)
PUBLISHED = ("model.safetensors", "metrics.json", "README.md")


def clean_run(folder: Path) -> None:
    """Remove what a training has written to a working folder, and nothing else."""
    for path in (folder / name for name in WRITTEN):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def require_writable(folder: Path, option: str) -> None:
    """Check that a checkpoint or a run can be written to a folder, which need not be there yet.

    Raises:
        TrainingError: if it cannot; it names the option and what is in the way.
    """
    nearest = folder.absolute()
    while not (nearest.exists() or nearest.is_symlink()):
        nearest = nearest.parent
    if not nearest.is_dir():
        raise TrainingError(f"{option} is {folder}, but {nearest} is not a folder: give a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise TrainingError(
            f"{option} is {folder}, but {nearest} cannot be written to: give another folder"
        )
    for file in (folder / name for name in PUBLISHED):
        if file.exists() and not (file.is_file() and os.access(file, os.W_OK)):
            raise TrainingError(f"{option} is {folder}, but {file} is no file that can be written")


def require_writable_file(file: Path, option: str) -> None:
    """Check that a file can be written.

    Raises:
        TrainingError: if it cannot.
    """
    if file.is_dir():
        raise TrainingError(f"{option} is {file}, which is a folder: give a file to write")
    require_writable(file.parent, f"the folder of {option}")


def require_outside(data: Path, folder: Path, option: str) -> None:
    """Check that the images of a report or of an epoch do not become images of the data.

    A folder with a manifest has the images that the manifest lists, and no others.

    Raises:
        TrainingError: if they would.
    """
    if folder.resolve().is_relative_to(data.resolve()) and not (data / MANIFEST).is_file():
        raise TrainingError(
            f"{option} is {folder}, which is in --data: the next run would take the images that "
            "are written there for data; give a folder outside of it"
        )


@contextmanager
def run_folder(folder: Path, *, resumes: bool, restart: bool = False) -> Iterator[None]:
    """Hold a working folder until the end of a command, and say how to go on if it is stopped.

    Args:
        folder: which is made if need be.
        resumes: whether the same command resumes from a save in the folder.
        restart: whether the command has ``--restart``, with which it would not.

    Raises:
        TrainingError: if another process holds the folder, or the disk is full.
        SystemExit: with 130 on Ctrl-C and 143 on SIGTERM, after a sentence.
    """
    try:
        with _locked(folder), raise_on_sigterm(), _quiet_threads():
            for name in PARTIAL:
                remove_partial(folder / name)
            yield
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        file = error.filename or f"a file in {folder} or in the checkpoint's folder"
        raise TrainingError(
            f"{file} could not be written ({error.strerror}). When there is space, "
            f"{_going_on(folder, resumes, restart)}"
        ) from None
    except KeyboardInterrupt as stop:
        console.print(f"stopped: {_going_on(folder, resumes, restart)}", soft_wrap=True)
        raise SystemExit(exit_status(stop)) from None


def _going_on(folder: Path, resumes: bool, restart: bool) -> str:
    """What the same command does when it is given again."""
    step = saves.last_step(folder) if resumes else None
    if step is None:
        return "the same command begins anew; no step was saved"
    command = "the same command without --restart" if restart else "the same command"
    return f"{command} resumes from step {step}, which is saved in {folder}"


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder; the system releases it when the process ends in any way."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK, blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise TrainingError(
            f"{folder} is in use by another process: wait until it ends, or choose another --run "
            "folder"
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _quiet_threads() -> Iterator[None]:
    """No traceback of a full disk in TensorBoard's thread, which also reports it to this one."""
    report = threading.excepthook

    def hook(failure: threading.ExceptHookArgs) -> None:
        if getattr(failure.exc_value, "errno", None) not in NO_SPACE:
            report(failure)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = report
