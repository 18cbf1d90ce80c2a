"""The limits: the model alone in a loop, and PNG encoding alone.

Both run in processes of their own, so that nothing of the benchmark is in their way; the model's is
``python -m benchmarks.limits SECONDS``.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from app import png
from benchmarks.servers.work import Model

ROOT = Path(__file__).parent.parent
ENCODERS = ROOT / ".venv" / "bench" / "codecs" / "bin" / "python"
PICTURES, PICTURE, COUNT = "pictures.npy", "stored.png", 16
BATCHES = (1, 2, 4, 8, 16, 32)


def write_pictures(folder: Path) -> None:
    """Decode some samples for the PNG encoders, and keep one as a PNG for the stored answer."""
    model = Model()
    drawn = model.decode(model.draw(COUNT, seed=0))
    np.save(folder / PICTURES, drawn)
    (folder / PICTURE).write_bytes(png.encode(drawn[0]))


def measure(folder: Path, seconds: float) -> dict[str, Any]:
    """Both limits, as plain figures."""
    encoders = ENCODERS if ENCODERS.exists() else Path(sys.executable)
    return {
        "model": _run(Path(sys.executable), "benchmarks.limits", str(seconds)),
        "png": _run(encoders, "benchmarks.encoders", str(folder / PICTURES)),
    }


def _run(python: Path, module: str, argument: str) -> Any:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    ran = subprocess.run(  # nosec B603  # noqa: S603 -- our own files
        [str(python), "-m", module, argument],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        cwd=ROOT,
    )
    return json.loads(ran.stdout)


def model_alone(seconds: float) -> dict[str, dict[int, float]]:
    """Pictures a second through encoder and decoder, by batch size."""
    model = Model()
    found: dict[str, dict[int, float]] = {"encode": {}, "decode": {}}
    for batch in BATCHES:
        latents = model.draw(batch, seed=0)
        pictures = list(model.decode(latents))
        decode, encode = (
            partial(model.decode, latents, batch),
            partial(model.encode, pictures, batch),
        )
        found["decode"][batch] = batch * _rate(decode, seconds)
        found["encode"][batch] = batch * _rate(encode, seconds)
    return found


def _rate(work: Callable[[], Any], seconds: float) -> float:
    """Calls a second."""
    work()
    calls, started = 0, time.perf_counter()
    while (passed := time.perf_counter() - started) < seconds:
        work()
        calls += 1
    return calls / passed


if __name__ == "__main__":
    print(json.dumps(model_alone(float(sys.argv[1]))))
