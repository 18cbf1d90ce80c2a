"""The limits: the model alone in a loop, and PNG encoding alone.

They run in processes of their own, undisturbed by the benchmark; the model's is
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
import torch

from app.images import png
from app.inference.engine import DecoderInput, Engine
from benchmarks.servers.work import FILE, MAX_BATCH, Model
from vae import checkpoint

ROOT = Path(__file__).parent.parent
ENCODERS = ROOT / ".venv" / "bench" / "codecs" / "bin" / "python"
IMAGES, IMAGE, COUNT = "images.npy", "stored.png", 16
BATCHES = (1, 2, 4, 8, 16, 32)


def write_images(folder: Path) -> None:
    """Decode some samples for the PNG encoders, and keep one as the stored PNG."""
    model = Model()
    decoded = model.decode(model.draw(COUNT, seed=0))
    np.save(folder / IMAGES, decoded)
    (folder / IMAGE).write_bytes(png.encode(decoded[0]))


def measure(folder: Path, seconds: float) -> dict[str, Any]:
    """``model`` in float32, ``served`` as Lorgnette runs it, and the encoders."""
    encoders = ENCODERS if ENCODERS.exists() else Path(sys.executable)
    return {
        **_run(Path(sys.executable), "benchmarks.limits", str(seconds)),
        **_run(encoders, "benchmarks.encoders", str(folder / IMAGES)),
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


def models_alone(seconds: float) -> dict[str, dict[str, dict[int, float]]]:
    """Images a second through encoder and decoder, by batch size, in float32 and as served."""
    model = Model()
    engine = Engine(checkpoint.load(FILE), torch.device("cpu"), batch_size_one=False)
    engine.warm_up(MAX_BATCH)
    found: dict[str, dict[str, dict[int, float]]] = {
        name: {"encode": {}, "decode": {}} for name in ("model", "served")
    }
    for batch in BATCHES:
        latents = model.draw(batch, seed=0)
        images = list(model.decode(latents))
        calls: dict[tuple[str, str], Callable[[], Any]] = {
            ("model", "decode"): partial(model.decode, latents, batch),
            ("model", "encode"): partial(model.encode, images, batch),
            ("served", "decode"): partial(engine.decode_many, [DecoderInput(z) for z in latents]),
            ("served", "encode"): partial(engine.encode_many, images),
        }
        for (name, operation), call in calls.items():
            found[name][operation][batch] = batch * _rate(call, seconds)
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
    print(json.dumps(models_alone(float(sys.argv[1]))))
