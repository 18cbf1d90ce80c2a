"""The service with a fault in its model: ``python -m tests.app.faulty FOLDER``.

While ``FOLDER/hang`` is there a decode does not come back; while ``FOLDER/memory`` is there it has
memory for one picture at a time, or for as many as the file says; while ``FOLDER/lost`` is there it
finds its device lost; while ``FOLDER/broken`` is there it fails whenever its batch holds a latent
that begins with 13; while ``FOLDER/pace`` is there every decode takes the seconds in it longer.
``FOLDER/die`` ends the thread of the next decode a moment after it, once.
"""

import ctypes
import sys
import threading
import time
from pathlib import Path

import torch
from torch import Tensor

from app.inference.errors import DeviceLostError
from app.server.run import main
from vae.model import VAE

MOST_SECONDS = 60


def spoil(folder: Path) -> None:
    """Put the faults into every model's decoder."""
    raw = VAE.decode_logits

    def faulty(self: VAE, z: Tensor) -> Tensor:
        end = time.monotonic() + MOST_SECONDS
        while (folder / "hang").exists() and time.monotonic() < end:
            time.sleep(0.01)
        memory = folder / "memory"
        if memory.exists() and len(z) > int(memory.read_text() or 1):
            raise torch.OutOfMemoryError("there is no memory left")
        if (folder / "lost").exists():
            raise DeviceLostError("the device is lost")
        if (folder / "broken").exists() and (z[:, 0] == 13).any():
            raise ValueError("unlucky")
        if (folder / "pace").exists():
            time.sleep(float((folder / "pace").read_text()))
        if (folder / "die").exists():
            (folder / "die").unlink()
            threading.Timer(0.05, end_thread, [threading.get_ident()]).start()
        return raw(self, z)

    VAE.decode_logits = faulty  # type: ignore[method-assign]


def end_thread(thread: int) -> None:
    """Raise SystemExit wherever the thread is."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(SystemExit))


if __name__ == "__main__":
    spoil(Path(sys.argv[1]))
    main()
