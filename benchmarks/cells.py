"""The raw measurements, one a cell, and their medians over the rounds."""

import statistics
from collections.abc import Iterable
from typing import Any

from benchmarks.systems import STORED, SYSTEMS
from benchmarks.works import WORKS

Cell = dict[str, Any]
Key = tuple[str, str, int]  # system, work, clients

MEGABYTE = 1e6
ORDER = (*SYSTEMS, STORED)
MEDIANS = (
    *("images_per_second", "p50_ms", "p95_ms", "p99_ms"),
    *("cpu_seconds_per_image", "cpu_cores"),
)


def medians(cells: Iterable[Cell]) -> dict[Key, Cell]:
    """One cell for all rounds: medians of figures, sums of errors, the peak of memory."""
    groups: dict[Key, list[Cell]] = {}
    for cell in cells:
        key = (cell["system"], cell["work"], cell["concurrency"])
        groups.setdefault(key, []).append(cell)
    return {key: _merged(group) for key, group in groups.items()}


def _merged(group: list[Cell]) -> Cell:
    found: Cell = {}
    for name in MEDIANS:
        values = [cell[name] for cell in group if cell[name] is not None]
        found[name] = statistics.median(values) if values else float("nan")
    speeds = [cell["images_per_second"] for cell in group]
    found["slowest"], found["fastest"] = min(speeds), max(speeds)
    found["requests"] = sum(cell["requests"] for cell in group)
    found["errors"] = sum(sum(cell["errors"].values()) for cell in group)
    found["rss_bytes"] = max(cell["rss_bytes"] for cell in group)
    found["pss_bytes"] = max(cell["pss_bytes"] for cell in group)
    found["rounds"] = len(group)
    return found


def works_of(cells: dict[Key, Cell]) -> list[str]:
    """The works that were measured, in their usual order."""
    return [name for name in WORKS if any(work == name for _, work, _ in cells)]


def systems_of(cells: dict[Key, Cell]) -> list[str]:
    """The systems that were measured, Lorgnette first."""
    return [name for name in ORDER if any(system == name for system, _, _ in cells)]


def clients_of(cells: dict[Key, Cell]) -> list[int]:
    """The numbers of clients that were measured, the fewest first."""
    return sorted({clients for _, _, clients in cells})


def limit_medians(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians over the rounds: images/s of the model by batch size, figures of the encoders."""
    if not rounds:
        return {}
    models = {
        name: {
            operation: {
                int(batch): statistics.median(found[name][operation][batch] for found in rounds)
                for batch in rounds[0][name][operation]
            }
            for operation in ("encode", "decode")
        }
        for name in ("model", "served")
    }
    png = {
        name: {
            figure: statistics.median(found["png"][name][figure] for found in rounds)
            for figure in ("ms", "bytes")
        }
        for name in rounds[0]["png"]
    }
    return {**models, "png": png}


def model_bound(work: str, speeds: dict[str, dict[int, float]]) -> float:
    """Images/s if a work were nothing but the model at its best batch sizes."""
    encode, decode = (max(speeds[operation].values()) for operation in ("encode", "decode"))
    seconds = WORKS[work].encodes / encode + WORKS[work].decodes / decode
    return WORKS[work].decodes / float(seconds)
