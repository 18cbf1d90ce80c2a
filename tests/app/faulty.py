"""The service with a fault in its model: ``python -m tests.app.faulty FOLDER``.

While ``FOLDER/hang`` is there a decode does not come back; while ``FOLDER/memory`` is there it has
memory for one picture at a time; while ``FOLDER/broken`` is there it fails whenever its batch
holds a latent that begins with 13.
"""

import sys
import time
from pathlib import Path

import torch
from torch import Tensor

from app.__main__ import main
from vae.model import VAE

MOST_SECONDS = 60


def spoil(folder: Path) -> None:
    """Put the faults into every model's decoder."""
    decode = VAE.decode

    def faulty(self: VAE, z: Tensor) -> Tensor:
        end = time.monotonic() + MOST_SECONDS
        while (folder / "hang").exists() and time.monotonic() < end:
            time.sleep(0.01)
        if (folder / "memory").exists() and len(z) > 1:
            raise torch.OutOfMemoryError("there is no memory left")
        if (folder / "broken").exists() and (z[:, 0] == 13).any():
            raise ValueError("unlucky")
        return decode(self, z)

    VAE.decode = faulty  # type: ignore[method-assign]


if __name__ == "__main__":
    spoil(Path(sys.argv[1]))
    main()
