"""The comparison: every system, work and concurrency in turn, round after round."""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks import limits, load, works
from benchmarks.check import Check, Request
from benchmarks.load import Bounds, Target
from benchmarks.processes import MemoryWatch, Server
from benchmarks.servers.work import Pixels
from benchmarks.systems import CHECKPOINT, STORED, SYSTEMS, System, stored
from benchmarks.works import WORKS
from vae import checkpoint

WARM_CLIENTS = 1  # more would teach an adaptive batcher to wait for larger batches
LOAD, WARM = Bounds(seconds=1.5, longest=5.0), Bounds(seconds=1.0, each=1)
BUSY_CLIENTS, BUSY = 32, Bounds(seconds=2.0, longest=5.0)  # while images are compared


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
        systems: names, in the order of the first round.
        works: names.
        concurrency: clients, each with one request at a time.
        rounds: how often everything is measured.
        bounds: of the load of one measurement.
        warm: likewise, of what comes before the first.
        model_seconds: for each batch size of the model alone.
        png: how the competitors with batching write PNGs, ``pillow`` or ``lorgnette``.
        out: the folder for results.
    """

    systems: tuple[str, ...] = tuple(SYSTEMS)
    works: tuple[str, ...] = tuple(WORKS)
    concurrency: tuple[int, ...] = (1, 8, 32, 128)
    rounds: int = 5
    bounds: Bounds = LOAD
    warm: Bounds = WARM
    model_seconds: float = 0.7
    png: str = "pillow"
    out: Path = Path(__file__).parent / "results"

    def quick(self) -> "Plan":
        """The same in seconds: checks that it works; its figures mean nothing."""
        bounds = Bounds(seconds=0.3, each=1, longest=1.0, most=8)
        return replace(
            self, concurrency=(1, 2), rounds=1, bounds=bounds, warm=bounds, model_seconds=0.1
        )


def run(plan: Plan) -> Path:
    """Measure everything; the file of results is written anew after each system.

    One system runs at a time, so that idle systems take no CPU from it; the order turns from
    round to round, so that a drift of the machine affects all of them equally.
    """
    plan.out.mkdir(parents=True, exist_ok=True)
    scratch = plan.out / "scratch"
    scratch.mkdir(exist_ok=True)
    check = Check(plan.works)
    targets = _targets(plan, scratch)
    limits.write_images(scratch)
    record: dict[str, Any] = {
        "environment": environment(plan.systems),
        "plan": {**asdict(plan), "out": None},
        "cells": [],
        "max_difference": {},
        "limits": [],
    }
    file = plan.out / "comparison.json"
    for number in range(plan.rounds):
        for name in _order((*plan.systems, STORED, "limits"), number):
            _log(f"round {number + 1} of {plan.rounds}: {name}")
            if name == "limits":
                found = limits.measure(scratch, plan.model_seconds)
                record["limits"].append({"round": number, **found})
            else:
                cells, difference = _system(name, plan, targets, check, scratch)
                record["cells"] += [{"round": number, **cell} for cell in cells]
                if name != STORED:
                    record["max_difference"].setdefault(name, []).append(difference)
            file.write_text(json.dumps(record, indent=1) + "\n")
    return file


def _order(names: Sequence[str], number: int) -> list[str]:
    turn = number % len(names)
    return [*names[turn:], *names[:turn]]


def _targets(plan: Plan, scratch: Path) -> dict[str, Target]:
    found = {}
    for name in {*plan.works, "sample"}:  # for the stored PNG
        work, folder = WORKS[name], scratch / name
        works.write(work, folder)
        found[name] = works.target(work, folder, port=0)
    return found


def _system(
    name: str, plan: Plan, targets: dict[str, Target], check: Check, scratch: Path
) -> tuple[list[dict[str, Any]], int]:
    """The measurements of one system in one round, and how its images differ under load."""
    system = stored(scratch / limits.IMAGE) if name == STORED else SYSTEMS[name]
    measured = ("sample",) if name == STORED else plan.works
    with system.serving(scratch / f"{name}.log", {"BENCH_PNG": plan.png}) as (server, port):
        expected = {} if name == STORED else check.run(name, port, keep=scratch)
        here = {work: at(targets[work], port) for work in measured}
        for target in here.values():
            load.run(target, WARM_CLIENTS, plan.warm)
        cells = [
            {
                "system": name,
                "work": work,
                "concurrency": clients,
                **measure(server, here[work], clients, plan.bounds, WORKS[work].decodes),
            }
            for clients in plan.concurrency
            for work in measured
        ]
        return cells, 0 if name == STORED else _max_difference(
            check, name, here[measured[0]], port, expected
        )


def _max_difference(
    check: Check, name: str, target: Target, port: int, before: dict[Request, Pixels]
) -> int:
    """The largest difference from ``before``, in grey levels, among other requests."""
    with ThreadPoolExecutor(1) as thread:
        loading = thread.submit(load.run, target, BUSY_CLIENTS, BUSY)
        worst = check.again(name, port, before)
        while not loading.done():
            worst = max(worst, check.again(name, port, before))
        loading.result()
    return worst


def at(target: Target, port: int) -> Target:
    """The same target on another port."""
    path = target.url.rpartition("/")[2]
    return replace(target, url=f"http://127.0.0.1:{port}/{path}")


def measure(
    server: Server, target: Target, clients: int, bounds: Bounds, images: int
) -> dict[str, Any]:
    """The figures of a server under a load.

    Args:
        server: that is loaded.
        target: what is requested.
        clients: connections.
        bounds: of the load.
        images: in one response.
    """
    before = server.cpu_seconds()
    with MemoryWatch(server) as memory:
        found = load.run(target, clients, bounds)
    cpu = server.cpu_seconds() - before
    images_decoded = found["requests"] * images
    return {
        **found,
        "images_per_second": images_decoded / found["seconds"] if found["seconds"] else 0.0,
        "cpu_seconds_per_image": cpu / images_decoded if images_decoded else None,
        "cpu_cores": cpu / found["seconds"] if found["seconds"] else None,
        "rss_bytes": memory.peak,
        "pss_bytes": server.pss(),
        "processes": len(server.members()),
    }


def environment(systems: Sequence[str]) -> dict[str, Any]:
    """The machine and the versions that the figures were measured with."""
    model = checkpoint.load(CHECKPOINT)
    return {
        "time": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "kernel": platform.release(),
        "python": platform.python_version(),
        "wrk": _output(["wrk", "--version"]).split(" Copyright")[0],
        "checkpoint": model.sha256,
        "model": asdict(model.model.config),
        "versions": {name: _version(SYSTEMS[name]) for name in systems},
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "")


def _version(system: System) -> str:
    packages = (system.package, "torch", "uvicorn")
    code = "import importlib.metadata as m, sys; print(', '.join(f'{p} {m.version(p)}' for p in "
    return _output([str(system.python), "-c", f"{code}sys.argv[1:]))", *packages]).strip()


def _output(command: list[str]) -> str:
    """Standard output of a command; wrk ends with 1 when asked for its version."""
    return subprocess.run(  # nosec B603  # noqa: S603 -- our own commands
        command, capture_output=True, text=True, check=False
    ).stdout


def _log(text: str) -> None:
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)
