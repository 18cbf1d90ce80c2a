"""The cost of detail: decodes at detail 0, 0.5 and 1, as the service runs them."""

import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from app.inference.engine import DecoderInput, Engine
from benchmarks.markdown import table
from benchmarks.servers.work import FILE
from vae import checkpoint
from vae.latent import seeded_noise

DETAILS = (0.0, 0.5, 1.0)
BATCHES = (1, 8)
THREADS = (1, 2)
ROUNDS = 30
RESULT = "detail.json"


class NoDetailError(Exception):
    """The checkpoint has no detail branch."""


@dataclass(frozen=True)
class Cell:
    """The seconds of every decode of a batch, by detail."""

    threads: int
    batch: int
    seconds: dict[str, list[float]]


def run(out: Path, rounds: int = ROUNDS) -> list[Path]:
    """Measure, and write the raw times and a table of ratios of medians to a folder.

    The three details are measured in turn, in every round.

    Returns:
        the files that were written.
    """
    loaded = checkpoint.load(FILE)
    if loaded.model.detail is None:
        raise NoDetailError(f"{FILE} has no detail branch, whose cost this measures")
    engine = Engine(loaded, torch.device("cpu"), batch_size_one=False)
    engine.warm_up(max(BATCHES))
    dim = loaded.model.config.latent_dim
    cells = [
        Cell(threads, batch, _seconds(engine, dim, threads, batch, rounds))
        for threads in THREADS
        for batch in BATCHES
    ]
    out.mkdir(parents=True, exist_ok=True)
    raw, page = out / RESULT, out / "detail.md"
    raw.write_text(json.dumps([asdict(cell) for cell in cells], indent=1) + "\n")
    page.write_text("\n".join(_page(cells, rounds)) + "\n")
    return [raw, page]


def _seconds(
    engine: Engine, dim: int, threads: int, batch: int, rounds: int
) -> dict[str, list[float]]:
    """See ``Cell``."""
    torch.set_num_threads(threads)
    latents = seeded_noise(range(batch), dim)
    seconds: dict[str, list[float]] = {f"{detail:g}": [] for detail in DETAILS}
    for _ in range(rounds):
        for detail in DETAILS:
            inputs = [DecoderInput(z, detail) for z in latents]
            started = time.perf_counter()
            engine.decode_many(inputs)
            seconds[f"{detail:g}"].append(time.perf_counter() - started)
    return seconds


def _page(cells: Sequence[Cell], rounds: int) -> list[str]:
    rows = []
    for cell in cells:
        medians = {name: statistics.median(values) for name, values in cell.seconds.items()}
        row = [str(cell.threads), str(cell.batch), f"{1000 * medians['0']:.1f} ms"]
        rows.append([*row, *(f"{medians[name] / medians['0']:.2f}" for name in ("0.5", "1"))])
    header = ["threads", "images", "`detail` 0", "0.5, times that", "1, times that"]
    return [
        "# The cost of detail",
        "",
        f"Decodes of one batch as the service runs them, medians of {rounds} in turn.",
        "",
        table(header, rows),
    ]
