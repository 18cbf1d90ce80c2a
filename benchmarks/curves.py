"""What Lorgnette costs as it grows: pictures a request, latents, clients, workers, requests."""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks import load, works
from benchmarks.compare import about, measure
from benchmarks.load import Bounds
from benchmarks.processes import MemoryWatch
from benchmarks.systems import CHECKPOINT, OURS, System, lorgnette
from benchmarks.works import Work
from vae import checkpoint
from vae.checkpoint import Checkpoint
from vae.model import VAE
from vae.prior import LatentStatistics

BODIES = 16
LOAD = Bounds(seconds=5.0, longest=20.0)


@dataclass(frozen=True)
class Plan:
    """What to vary; everything else stays at the first value of its row.

    Attributes:
        counts: pictures a request, from one client.
        latents: latent sizes, of untrained networks of the bundled model's shape, at 8 clients.
        clients: each with one request for one picture at a time.
        workers: processes, at 32 clients.
        requests: how many the memory is watched over, at 8 clients.
        bounds: of the load of one point.
        out: the folder for results.
    """

    counts: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    latents: tuple[int, ...] = (2, 8, 32, 128, 512, 2048)
    clients: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
    workers: tuple[int, ...] = (1, 2, 4)
    requests: int = 10_000
    bounds: Bounds = LOAD
    out: Path = Path(__file__).parent / "results"

    def quick(self) -> "Plan":
        """The same in seconds: whether it works, not how fast."""
        return replace(
            self,
            counts=(1, 3),
            latents=(8,),
            clients=(1, 2),
            workers=(1,),
            requests=16,
            bounds=Bounds(seconds=0.3, each=1, longest=1.0, most=8),
        )


def run(plan: Plan) -> Path:
    """Measure every curve; the file of results is written anew after each."""
    plan.out.mkdir(parents=True, exist_ok=True)
    scratch = plan.out / "scratch"
    scratch.mkdir(exist_ok=True)
    record: dict[str, Any] = {
        "about": about([OURS]),
        "plan": {**asdict(plan), "out": None},
        "points": [],
    }
    file = plan.out / "curves.json"
    for curve in (_counts_and_clients, _latents, _workers):
        for point in curve(plan, scratch):
            record["points"].append(point)
            file.write_text(json.dumps(record, indent=1) + "\n")
    record["memory"] = _memory(plan, scratch)
    file.write_text(json.dumps(record, indent=1) + "\n")
    return file


def _counts_and_clients(plan: Plan, scratch: Path) -> Iterator[dict[str, Any]]:
    wanted = [("n", n, n, 1) for n in plan.counts]
    wanted += [("clients", clients, 1, clients) for clients in plan.clients]
    return _points(lorgnette(), wanted, plan, scratch)


def _latents(plan: Plan, scratch: Path) -> Iterator[dict[str, Any]]:
    for dim in plan.latents:
        folder = scratch / f"latents-{dim}"
        folder.mkdir(exist_ok=True)
        checkpoint.save(untrained(dim), folder / "model.safetensors")
        system = lorgnette(settings={"LORGNETTE_MODELS": str(folder)})
        yield from _points(system, [("latents", dim, 1, 8)], plan, scratch)


def untrained(dim: int) -> Checkpoint:
    """The bundled model's network with another latent size, and weights as they come."""
    torch.manual_seed(0)
    model = VAE(replace(checkpoint.load(CHECKPOINT).model.config, latent_dim=dim))
    return Checkpoint(model.eval(), LatentStatistics(torch.zeros(dim), torch.eye(dim)))


def _workers(plan: Plan, scratch: Path) -> Iterator[dict[str, Any]]:
    for count in plan.workers:
        wanted = [("workers", count, 1, 32)]
        yield from _points(lorgnette(workers=count), wanted, plan, scratch)


def _points(
    system: System, wanted: list[tuple[str, int, int, int]], plan: Plan, scratch: Path
) -> Iterator[dict[str, Any]]:
    """Measure (curve, value, pictures a request, clients) of one server."""
    with system.serving(scratch / "curves.log") as (server, port):
        for curve, value, n, clients in wanted:
            print(time.strftime("%H:%M:%S"), curve, value, file=sys.stderr, flush=True)
            work = _sample(n)
            folder = scratch / f"sample-{n}"
            works.write(work, folder, BODIES)
            target = works.target(work, folder, port, BODIES)
            load.run(target, clients, replace(plan.bounds, seconds=plan.bounds.seconds / 4))
            found = measure(server, target, clients, plan.bounds, n)
            yield {"curve": curve, "value": value, **found}


def _sample(n: int) -> Work:
    """A request for n pictures; the sheet is as Lorgnette lays it out."""
    columns = next(k for k in range(1, n + 1) if k * k >= n)
    return Work(f"sample-{n}", "/sample", encodes=0, decodes=n, columns=columns)


def _memory(plan: Plan, scratch: Path) -> dict[str, Any]:
    """Resident memory over many requests of all works in turn."""
    bounds = Bounds(seconds=0, each=0, longest=3600, most=0)
    shares = {"sample": 0.4, "reconstruct": 0.3, "arithmetic": 0.2, "interpolate": 0.1}
    watched: list[tuple[str, int, list[tuple[float, int]]]] = []
    with lorgnette().serving(scratch / "curves.log") as (server, port):
        targets = {}
        for name in shares:
            works.write(works.WORKS[name], scratch / name)
            targets[name] = works.target(works.WORKS[name], scratch / name, port)
            load.run(targets[name], 8, plan.bounds)  # what it needs once, it takes before the watch
        for name, target in targets.items():
            count = max(8, round(plan.requests * shares[name]))
            print(time.strftime("%H:%M:%S"), "memory", name, count, file=sys.stderr, flush=True)
            with MemoryWatch(server) as memory:
                found = load.run(target, 8, replace(bounds, each=count, most=count))
            if found["errors"]:
                raise load.LoadError(f"{name}: {found['errors']}")
            watched.append((name, found["requests"], memory.samples))
    return {"requests": sum(count for _, count, _ in watched), "watched": watched}
