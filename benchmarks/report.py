"""Results as a markdown table and plots, from the raw files alone."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks import curves_report, plots
from benchmarks.cells import (
    MEGABYTE,
    Cell,
    Key,
    clients_of,
    limit_medians,
    medians,
    model_bound,
    systems_of,
    works_of,
)
from benchmarks.markdown import machine, milliseconds, table
from benchmarks.systems import NAIVE, OURS, STORED
from benchmarks.works import WORKS

BUSY = 32  # clients


def write(folder: Path) -> list[Path]:
    """Write what the raw files in a folder allow, and return the files."""
    written: list[Path] = []
    if (file := folder / "comparison.json").exists():
        written += _comparison(json.loads(file.read_text()), folder)
    if (file := folder / "curves.json").exists():
        written += curves_report.write(json.loads(file.read_text()), folder)
    return written


def _comparison(record: dict[str, Any], folder: Path) -> list[Path]:
    cells = medians(record["cells"])
    bounds = limit_medians(record["limits"])
    text = [
        "# Lorgnette and others",
        _model_info(record),
        "## Images a second, and the median latency",
        _summary(cells),
        "## Lorgnette and the best of the others",
        ratios(cells),
        _max_difference(record["max_difference"]),
        *([_limit_tables(cells, bounds)] if bounds else []),
        *(f"## `{work}`\n\n{_details(cells, work)}" for work in works_of(cells)),
    ]
    (folder / "comparison.md").write_text("\n\n".join(text) + "\n")
    files = [folder / "comparison.md", plots.comparison(cells, folder / "comparison.png")]
    if bounds:
        files.append(plots.limits(bounds, folder / "limits.png"))
    return files


def _model_info(record: dict[str, Any]) -> str:
    environment, plan = record["environment"], record["plan"]
    rounds = len({cell["round"] for cell in record["cells"]})
    seconds = plan["bounds"]["seconds"]
    versions = "\n".join(f"- {name}: {text}" for name, text in environment["versions"].items())
    return (
        f"{machine(environment)} PNGs of the competitors by {plan['png']}. Medians of {rounds} "
        f"rounds of {seconds:g} s a measurement; errors are summed, memory is the peak."
        f"\n\n{versions}"
    )


def _summary(cells: dict[Key, Cell]) -> str:
    systems = [name for name in systems_of(cells) if name != STORED]

    def entry(system: str, work: str, clients: int) -> str:
        cell = cells.get((system, work, clients))
        if cell is None:
            return ""
        return f"{cell['images_per_second']:.1f}, {milliseconds(cell['p50_ms'])}"

    rows = [
        [f"{work}, {clients}", *(entry(system, work, clients) for system in systems)]
        for work in works_of(cells)
        for clients in clients_of(cells)
    ]
    return table(["work, clients", *systems], rows)


def ratios(cells: dict[Key, Cell]) -> str:
    """A table of Lorgnette's throughput over that of the naive server and of the best other system,
    and of its median latency over the least of theirs.
    """
    others = [name for name in systems_of(cells) if name not in (OURS, NAIVE, STORED)]

    def ratio(ours: Cell, figure: str, rest: dict[str, Cell], best: Callable[..., str]) -> str:
        if not rest:
            return ""
        name = best(rest, key=lambda name: rest[name][figure])
        return f"{ours[figure] / rest[name][figure]:.2f} ({name})"

    rows = []
    for work in works_of(cells):
        for clients in clients_of(cells):
            here = {name: cells.get((name, work, clients)) for name in (OURS, NAIVE, *others)}
            found = {name: cell for name, cell in here.items() if cell is not None}
            if (ours := found.pop(OURS, None)) is None:
                continue
            naive = {NAIVE: found.pop(NAIVE)} if NAIVE in found else {}
            speeds = [ratio(ours, "images_per_second", o, max) for o in (naive, found)]
            latency = ratio(ours, "p50_ms", found | naive, min)
            rows.append([f"{work}, {clients}", *speeds, latency])
    head = ["work, clients", "images/s, naive's as 1", "the best other's as 1"]
    return table([*head, "p50, the best's as 1"], rows)


def glance(record: dict[str, Any]) -> str:
    """The README's table: images a second for many clients, and the median latency of one."""
    cells = medians(record["cells"])
    systems = [name for name in systems_of(cells) if name != STORED]

    def row(work: str) -> list[str]:
        many = [f"{cells[name, work, BUSY]['images_per_second']:.0f}" for name in systems]
        one = [f"{cells[name, work, 1]['p50_ms']:.0f} ms" for name in systems]
        return [f"`{work}`", *(f"{a}, {b}" for a, b in zip(many, one, strict=True))]

    return table(["", *systems], map(row, works_of(cells)))


def _max_difference(found: dict[str, list[int]]) -> str:
    worst = ", ".join(f"{name} {max(levels)}" for name, levels in found.items())
    return (
        "Largest difference between a system's responses to the same requests, alone and among 32 "
        f"clients, in grey levels: {worst}."
    )


def _details(cells: dict[Key, Cell], work: str) -> str:
    head = ["system, clients", "images/s", "slowest to fastest round", "p50", "p95", "p99"]
    head += ["errors", "of requests", "RSS, MB", "PSS, MB", "CPU ms/image"]
    keys = [
        (system, work, clients) for clients in clients_of(cells) for system in systems_of(cells)
    ]
    rows = ([f"{key[0]}, {key[2]}", *_row(cells[key])] for key in keys if key in cells)
    return table(head, rows)


def _row(cell: Cell) -> list[str]:
    return [
        f"{cell['images_per_second']:.1f}",
        f"{cell['slowest']:.1f} to {cell['fastest']:.1f}",
        *(milliseconds(cell[name]) for name in ("p50_ms", "p95_ms", "p99_ms")),
        str(cell["errors"]),
        str(cell["requests"]),
        f"{cell['rss_bytes'] / MEGABYTE:.0f}",
        f"{cell['pss_bytes'] / MEGABYTE:.0f}",
        f"{1000 * cell['cpu_seconds_per_image']:.1f}",
    ]


def _limit_tables(cells: dict[Key, Cell], limits: dict[str, Any]) -> str:
    parts = ["## Limits, and Lorgnette's fraction of them"]
    rows = [
        [
            f"{operation}, batch of {batch}",
            *(f"{limits[name][operation][batch]:.1f}" for name in ("model", "served")),
        ]
        for operation, speeds in limits["model"].items()
        for batch in speeds
    ]
    head = ["the model alone, images/s", "in float32", "in Lorgnette's precision"]
    parts.append(table(head, rows))
    parts.append(table(_FRACTIONS, _fractions(cells, limits)))
    png = [
        [name, f"{figures['ms']:.2f}", f"{figures['bytes'] / 1000:.1f}"]
        for name, figures in sorted(limits["png"].items(), key=lambda item: item[1]["ms"])
    ]
    parts.append(table(["PNG encoding alone, one thread", "ms/image", "kB/image"], png))
    animations = [
        [name, f"{figures['ms']:.0f}", f"{figures['bytes'] / 1000:.0f}", f"{figures['ratio']:.1f}"]
        for name, figures in limits.get("animation", {}).items()
    ]
    if animations:
        header = ["Animation of 30 images, one thread", "ms", "kB", "times as fast as Pillow"]
        parts.append(table(header, animations))
    return "\n\n".join(parts)


_FRACTIONS = [
    *("Lorgnette, work, clients", "images/s", "model alone, float32", "fraction"),
    *("model alone, Lorgnette's precision", "fraction"),
    *("stored PNG, responses/s", "fraction", "PNG alone, one thread", "fraction"),
]


def _fractions(cells: dict[Key, Cell], limits: dict[str, Any]) -> Iterable[list[str]]:
    png = 1000 / limits["png"][OURS]["ms"]
    for work in works_of(cells):
        bounds = [model_bound(work, limits[name]) for name in ("model", "served")]
        for clients in clients_of(cells):
            if (cell := cells.get((OURS, work, clients))) is None:
                continue
            speed = cell["images_per_second"]
            row = [f"{work}, {clients}", f"{speed:.1f}"]
            row += [text for b in bounds for text in (f"{b:.1f}", f"{speed / b:.0%}")]
            http = cells.get((STORED, "sample", clients))
            if http is None:
                row += ["", ""]
            else:
                responses = speed / WORKS[work].decodes
                stored = http["images_per_second"]
                row += [f"{stored:.0f}", f"{responses / stored:.1%}"]
            yield [*row, f"{png:.0f}", f"{speed / png:.0%}"]
