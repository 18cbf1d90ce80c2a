"""The long test: ``python -m tests.soak --rounds 100 --seconds 60 --out FILE``."""

import argparse
import asyncio
import json
import os
import platform
import signal
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from tests.app.conftest import tiny_checkpoint
from tests.soak import faults, overload
from vae.checkpoint import save


async def soak(rounds: int, seconds: float, seed: int, folder: Path) -> dict[str, Any]:
    """Inject the faults into one server, then overload a second one."""
    for name in ("tiny", "faults", "overload"):
        (folder / name).mkdir()
    save(tiny_checkpoint(0), folder / "tiny/model.safetensors")
    fault_results = await faults.run(folder / "tiny", folder / "faults", rounds, seed)
    load = await overload.run(folder / "tiny", folder / "overload", seconds)
    load.check()
    load.check_times()
    return {"faults": fault_results, "overload": load.summary()}


def main() -> int:
    """Run it, print and write the results."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--rounds", type=int, default=104, help="of fault injection")
    parser.add_argument("--seconds", type=float, default=60.0, help="of overload")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="file for the results")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # with its servers
    machine = {"processors": os.cpu_count(), "python": platform.python_version()}
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(soak(arguments.rounds, arguments.seconds, arguments.seed, Path(folder)))
    found = {"date": datetime.now(UTC).date().isoformat(), "machine": machine, **found}
    text = json.dumps(found, indent=2) + "\n"
    print(text)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
