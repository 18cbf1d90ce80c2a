"""Results as a markdown table and plots, from the raw files alone."""

import json
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks import plots
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
from benchmarks.systems import NAIVE, OURS, STORED
from benchmarks.works import WORKS

BUSY = 32  # clients


def write(folder: Path) -> list[Path]:
    """Write what the raw files in a folder allow, and say which files that is."""
    written: list[Path] = []
    if (file := folder / "comparison.json").exists():
        written += _comparison(json.loads(file.read_text()), folder)
    if (file := folder / "curves.json").exists():
        written += _curves(json.loads(file.read_text()), folder)
    return written


def _comparison(record: dict[str, Any], folder: Path) -> list[Path]:
    cells = medians(record["cells"])
    bounds = limit_medians(record["limits"])
    text = [
        "# Lorgnette and others",
        _model_info(record),
        "## Pictures a second, and the median latency",
        _summary(cells),
        "## Lorgnette beside the others",
        ratios(cells),
        _same(record["same"]),
        *([_limit_tables(cells, bounds)] if bounds else []),
        *(f"## `{work}`\n\n{_details(cells, work)}" for work in works_of(cells)),
    ]
    (folder / "comparison.md").write_text("\n\n".join(text) + "\n")
    files = [folder / "comparison.md", plots.comparison(cells, folder / "comparison.png")]
    if bounds:
        files.append(plots.limits(bounds, folder / "limits.png"))
    return files


def _model_info(record: dict[str, Any]) -> str:
    about, plan = record["about"], record["plan"]
    rounds = len({cell["round"] for cell in record["cells"]})
    seconds = plan["bounds"]["seconds"]
    versions = "\n".join(f"- {name}: {text}" for name, text in about["versions"].items())
    return (
        f"{_machine(about)} PNGs of the competitors by {plan['png']}. Medians of {rounds} rounds "
        f"of {seconds:g} s a measurement; errors are summed, memory is the peak.\n\n{versions}"
    )


def _machine(about: dict[str, Any]) -> str:
    return (
        f"{about['time']}, {about['cores']} cores of {about['cpu']}, Linux {about['kernel']}, "
        f"Python {about['python']}, {about['wrk']}. Checkpoint {about['checkpoint'][:12]}. "
        f"Load average before: {about['load_before']:.2f}."
    )


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def _summary(cells: dict[Key, Cell]) -> str:
    systems = [name for name in systems_of(cells) if name != STORED]

    def entry(system: str, work: str, clients: int) -> str:
        cell = cells.get((system, work, clients))
        if cell is None:
            return ""
        return f"{cell['pictures_per_second']:.1f}, {_ms(cell['p50_ms'])}"

    rows = [
        [f"{work}, {clients}", *(entry(system, work, clients) for system in systems)]
        for work in works_of(cells)
        for clients in clients_of(cells)
    ]
    return _table(["work, clients", *systems], rows)


def ratios(cells: dict[Key, Cell]) -> str:
    """A table of Lorgnette's throughput over that of the naive server and of the best other system,
    and of its median latency over the least of theirs.
    """
    rivals = [name for name in systems_of(cells) if name not in (OURS, NAIVE, STORED)]

    def beside(ours: Cell, figure: str, others: dict[str, Cell], best: Callable[..., str]) -> str:
        if not others:
            return ""
        name = best(others, key=lambda name: others[name][figure])
        return f"{ours[figure] / others[name][figure]:.2f} ({name})"

    rows = []
    for work in works_of(cells):
        for clients in clients_of(cells):
            here = {name: cells.get((name, work, clients)) for name in (OURS, NAIVE, *rivals)}
            found = {name: cell for name, cell in here.items() if cell is not None}
            if (ours := found.pop(OURS, None)) is None:
                continue
            naive = {NAIVE: found.pop(NAIVE)} if NAIVE in found else {}
            speeds = [beside(ours, "pictures_per_second", o, max) for o in (naive, found)]
            latency = beside(ours, "p50_ms", found | naive, min)
            rows.append([f"{work}, {clients}", *speeds, latency])
    head = ["work, clients", "pictures/s, naive's as 1", "the best other's as 1"]
    return _table([*head, "p50, the best's as 1"], rows)


def glance(record: dict[str, Any]) -> str:
    """The README's table: pictures a second for many clients, and the median latency of one."""
    cells = medians(record["cells"])
    systems = [name for name in systems_of(cells) if name != STORED]

    def row(work: str) -> list[str]:
        many = [f"{cells[name, work, BUSY]['pictures_per_second']:.0f}" for name in systems]
        one = [f"{cells[name, work, 1]['p50_ms']:.0f} ms" for name in systems]
        return [f"`{work}`", *(f"{a}, {b}" for a, b in zip(many, one, strict=True))]

    return _table(["", *systems], map(row, works_of(cells)))


def _same(found: dict[str, list[int]]) -> str:
    worst = ", ".join(f"{name} {max(levels)}" for name, levels in found.items())
    return (
        "Largest difference between a system's answers to the same requests, alone and among 32 "
        f"clients, in grey levels: {worst}."
    )


def _details(cells: dict[Key, Cell], work: str) -> str:
    head = ["system, clients", "pictures/s", "slowest to fastest round", "p50", "p95", "p99"]
    head += ["errors", "of requests", "RSS, MB", "PSS, MB", "CPU ms/picture"]
    keys = [
        (system, work, clients) for clients in clients_of(cells) for system in systems_of(cells)
    ]
    rows = ([f"{key[0]}, {key[2]}", *_row(cells[key])] for key in keys if key in cells)
    return _table(head, rows)


def _row(cell: Cell) -> list[str]:
    return [
        f"{cell['pictures_per_second']:.1f}",
        f"{cell['slowest']:.1f} to {cell['fastest']:.1f}",
        *(_ms(cell[name]) for name in ("p50_ms", "p95_ms", "p99_ms")),
        str(cell["errors"]),
        str(cell["requests"]),
        f"{cell['rss_bytes'] / MEGABYTE:.0f}",
        f"{cell['pss_bytes'] / MEGABYTE:.0f}",
        f"{1000 * cell['cpu_seconds_per_picture']:.1f}",
    ]


def _ms(value: float) -> str:
    return f"{value / 1000:.2f} s" if value >= 1000 else f"{value:.1f} ms"


def _limit_tables(cells: dict[Key, Cell], limits: dict[str, Any]) -> str:
    parts = ["## Limits, and Lorgnette's share of them"]
    rows = [
        [
            f"{way}, batch of {batch}",
            *(f"{limits[name][way][batch]:.1f}" for name in ("model", "served")),
        ]
        for way, speeds in limits["model"].items()
        for batch in speeds
    ]
    head = ["the model alone, pictures/s", "in float32", "in Lorgnette's precision"]
    parts.append(_table(head, rows))
    parts.append(_table(_SHARES, _shares(cells, limits)))
    png = [
        [name, f"{figures['ms']:.2f}", f"{figures['bytes'] / 1000:.1f}"]
        for name, figures in sorted(limits["png"].items(), key=lambda item: item[1]["ms"])
    ]
    parts.append(_table(["PNG encoding alone, one thread", "ms/picture", "kB/picture"], png))
    return "\n\n".join(parts)


_SHARES = [
    *("Lorgnette, work, clients", "pictures/s", "model alone, float32", "share"),
    *("model alone, Lorgnette's precision", "share"),
    *("stored PNG, answers/s", "share", "PNG alone, one thread", "share"),
]


def _shares(cells: dict[Key, Cell], limits: dict[str, Any]) -> Iterable[list[str]]:
    png = 1000 / limits["png"]["app/images/png.py"]["ms"]
    for work in works_of(cells):
        bounds = [model_bound(work, limits[name]) for name in ("model", "served")]
        for clients in clients_of(cells):
            if (cell := cells.get((OURS, work, clients))) is None:
                continue
            speed = cell["pictures_per_second"]
            row = [f"{work}, {clients}", f"{speed:.1f}"]
            row += [text for b in bounds for text in (f"{b:.1f}", f"{speed / b:.0%}")]
            http = cells.get((STORED, "sample", clients))
            if http is None:
                row += ["", ""]
            else:
                answers = speed / WORKS[work].decodes
                stored = http["pictures_per_second"]
                row += [f"{stored:.0f}", f"{answers / stored:.1%}"]
            yield [*row, f"{png:.0f}", f"{speed / png:.0%}"]


def _curves(record: dict[str, Any], folder: Path) -> list[Path]:
    points: list[Cell] = record["points"]
    head = ["curve", "pictures/s", "p50", "p95", "p99", "errors", "RSS, MB", "CPU ms/picture"]
    rows = [
        [
            f"{plots.CURVES[p['curve']]}: {p['value']}",
            f"{p['pictures_per_second']:.1f}",
            *(_ms(p[name]) for name in ("p50_ms", "p95_ms", "p99_ms")),
            str(sum(p["errors"].values())),
            f"{p['rss_bytes'] / MEGABYTE:.0f}",
            f"{1000 * (p['cpu_seconds_per_picture'] or float('nan')):.1f}",
        ]
        for p in points
    ]
    text = ["# What Lorgnette costs", _machine(record["about"]), _table(head, rows)]
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
    return _table(head, rows)
