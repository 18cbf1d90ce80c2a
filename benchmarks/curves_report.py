"""The curves as a Markdown table and a plot."""

import statistics
from pathlib import Path
from typing import Any

from benchmarks import plots
from benchmarks.cells import MEGABYTE, Cell
from benchmarks.markdown import machine, milliseconds, table


def write(record: dict[str, Any], folder: Path) -> list[Path]:
    """Write the table and the plot of the curves."""
    points: list[Cell] = record["points"]
    head = ["curve", "images/s", "p50", "p95", "p99", "errors", "RSS, MB", "CPU ms/image"]
    rows = [
        [
            f"{plots.CURVES[p['curve']]}: {p['value']}",
            f"{p['images_per_second']:.1f}",
            *(milliseconds(p[name]) for name in ("p50_ms", "p95_ms", "p99_ms")),
            str(sum(p["errors"].values())),
            f"{p['rss_bytes'] / MEGABYTE:.0f}",
            f"{1000 * (p['cpu_seconds_per_image'] or float('nan')):.1f}",
        ]
        for p in points
    ]
    text = ["# What Lorgnette costs", machine(record["environment"]), table(head, rows)]
    if "memory" in record:
        text += ["## Memory over many requests", _memory_table(record["memory"])]
    (folder / "curves.md").write_text("\n\n".join(text) + "\n")
    return [folder / "curves.md", plots.curves(record, folder / "curves.png")]


def _memory_table(memory: dict[str, Any]) -> str:
    """The median of each work's first and last quarter, and of the first and last of all."""
    watched: list[tuple[str, int, float, float]] = []
    for work, requests, samples in memory["watched"]:
        sizes = [rss / MEGABYTE for _, rss in samples]
        quarter = max(1, len(sizes) // 4)
        first, last = statistics.median(sizes[:quarter]), statistics.median(sizes[-quarter:])
        watched.append((work, requests, first, last))
    total = sum(requests for _, requests, _, _ in watched)
    rows = [
        [work, str(requests), f"{first:.0f}", f"{last:.0f}", f"{last - first:+.0f}"]
        for work, requests, first, last in [*watched, ("all", total, watched[0][2], watched[-1][3])]
    ]
    head = ["work", "requests", "RSS, first quarter, MB", "last quarter, MB", "growth, MB"]
    return table(head, rows)
