"""The service with faults in its model: ``python -m tests.app.faulty FOLDER``.

Files in ``FOLDER`` switch faults on:

- ``hang``: a decode does not return;
- ``memory``: memory is enough for one image at a time, or for as many as the file says;
- ``lost``: the device is lost;
- ``broken``: a decode fails if its batch holds a latent that begins with 13;
- ``pace``: a decode takes longer by the seconds in the file;
- ``die``: the thread of the next decode ends a moment after it, once.
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

MAX_HANG_SECONDS = 60
BROKEN_VALUE = 13


def inject(folder: Path) -> None:
    """Add the faults to every model's decoder."""
    decode_logits = VAE.decode_logits

    def faulty(self: VAE, z: Tensor) -> Tensor:
        end = time.monotonic() + MAX_HANG_SECONDS
        while (folder / "hang").exists() and time.monotonic() < end:
            time.sleep(0.01)
        memory = folder / "memory"
        if memory.exists() and len(z) > int(memory.read_text() or 1):
            torch.empty(2**60, dtype=torch.uint8)  # raises what PyTorch's allocator raises
        if (folder / "lost").exists():
            raise DeviceLostError("the device is lost")
        if (folder / "broken").exists() and (z[:, 0] == BROKEN_VALUE).any():
            raise ValueError("unlucky")
        if (folder / "pace").exists():
            time.sleep(float((folder / "pace").read_text()))
        if (folder / "die").exists():
            (folder / "die").unlink()
            threading.Timer(0.05, end_thread, [threading.get_ident()]).start()
        return decode_logits(self, z)

    VAE.decode_logits = faulty  # type: ignore[method-assign]


def end_thread(thread: int) -> None:
    """Raise SystemExit in a thread, wherever it is."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(SystemExit))


if __name__ == "__main__":
    inject(Path(sys.argv[1]))
    main()
