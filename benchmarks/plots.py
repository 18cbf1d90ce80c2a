"""The measurements as plots."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from benchmarks.cells import MEGABYTE, Cell, Key, clients_of, systems_of, works_of
from benchmarks.systems import NAIVE, OURS, STORED

mpl.use("Agg")

COLORS = {
    OURS: "#C2185B",
    NAIVE: "#757575",
    "litserve": "#7B52C7",
    "bentoml": "#1B8A5A",
    "ray": "#1F78C8",
    STORED: "#B0B0B0",
}
PLAIN = FuncFormatter(lambda value, _: f"{value:g}")  # 200, not 2 x 10^2


CURVES = {
    "n": "images a request",
    "latents": "latents",
    "clients": "clients",
    "workers": "processes",
}


def comparison(cells: dict[Key, Cell], file: Path) -> Path:
    """Throughput and latency over clients, a column a work, a line a system."""
    works = works_of(cells)
    figure = Figure(figsize=(3.2 * len(works), 6.2), layout="constrained")
    axes = figure.subplots(2, len(works), squeeze=False, sharex=True)
    figures = (("images_per_second", "images/s"), ("p95_ms", "95th percentile of latency, ms"))
    for row, (name, label) in enumerate(figures):
        for column, work in enumerate(works):
            _lines(axes[row][column], cells, work, name)
        axes[row][0].set_ylabel(label)
    for column, work in enumerate(works):
        axes[0][column].set_title(work)
        axes[0][column].set_ylim(bottom=0)
        axes[1][column].set_yscale("log")
        axes[1][column].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes[1][column].yaxis.set_major_formatter(PLAIN)
        axes[1][column].yaxis.set_minor_formatter(NullFormatter())
        axes[1][column].set_xlabel("clients")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.savefig(file, dpi=110)
    return file


def _lines(axes: Axes, cells: dict[Key, Cell], work: str, name: str) -> None:
    for system in systems_of(cells):
        if system == STORED:
            continue
        points = [
            (c, cells[system, work, c]) for c in clients_of(cells) if (system, work, c) in cells
        ]
        clients, values = [c for c, _ in points], [cell[name] for _, cell in points]
        width = 2.4 if system == OURS else 1.4
        axes.plot(clients, values, "o-", ms=3, lw=width, color=COLORS[system], label=system)
    _clean(axes)
    axes.set_xscale("log", base=2)
    axes.set_xticks(clients_of(cells), [str(c) for c in clients_of(cells)])


def _clean(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#E6E6E6", lw=0.7)
    axes.set_axisbelow(True)


def limits(limits: dict[str, Any], file: Path) -> Path:
    """The model alone over batch sizes, and the time of each PNG encoder."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for operation, color in (("encode", "#1F78C8"), ("decode", "#C2185B")):
        for name, line, label in (
            ("served", "o-", operation),
            ("model", "o:", f"{operation}, float32"),
        ):
            speeds = limits[name][operation]
            left.plot(list(speeds), list(speeds.values()), line, color=color, label=label)
    left.set_xscale("log", base=2)
    left.set_xticks(list(limits["model"]["decode"]), [str(b) for b in limits["model"]["decode"]])
    left.set(title="the model alone", xlabel="batch size", ylabel="images/s")
    left.set_ylim(bottom=0)
    left.legend(frameon=False)
    for axes in (left, right):
        _clean(axes)
    _encoders_plot(right, limits["png"])
    figure.savefig(file, dpi=110)
    return file


def _encoders_plot(axes: Axes, png: dict[str, dict[str, float]]) -> None:
    names = sorted(png, key=lambda name: png[name]["ms"], reverse=True)
    labels = [f"{name}: {png[name]['bytes'] / 1000:.0f} kB" for name in names]
    colors = [COLORS[OURS] if name == OURS else "#9E9E9E" for name in names]
    axes.barh(labels, [png[name]["ms"] for name in names], color=colors)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(PLAIN)
    axes.set(title="PNG encoding alone", xlabel="ms/image, one thread")


def curves(record: dict[str, Any], file: Path) -> Path:
    """Throughput, latency and memory, a column a curve; and memory over many requests."""
    rows: tuple[tuple[str, Callable[[Cell], float]], ...] = (
        ("images/s", lambda p: float(p["images_per_second"])),
        ("p95 latency, ms", lambda p: float(p["p95_ms"])),
        ("RSS, MB", lambda p: float(p["rss_bytes"]) / MEGABYTE),
    )
    figure = Figure(figsize=(16, 8), layout="constrained")
    axes = figure.subplots(len(rows), len(CURVES) + 1)
    for column, (curve, label) in enumerate(CURVES.items()):
        points = [p for p in record["points"] if p["curve"] == curve]
        for row, (name, value) in enumerate(rows):
            here = axes[row][column]
            values = [value(p) for p in points]
            here.plot([p["value"] for p in points], values, "o-", ms=3, color=COLORS[OURS])
            here.set_xscale("log", base=2)
            here.xaxis.set_major_formatter(PLAIN)
            here.set_ylim(bottom=0)
            here.set_ylabel(name if column == 0 else "")
            _clean(here)
        axes[-1][column].set_xlabel(label)
    for row in range(len(rows) - 1):
        axes[row][-1].axis("off")
    _memory_plot(axes[-1][-1], record.get("memory", {"watched": []}))
    figure.savefig(file, dpi=110)
    return file


def _memory_plot(axes: Axes, memory: dict[str, Any]) -> None:
    passed = 0.0
    for work, _, samples in memory["watched"]:
        times = [passed + seconds for seconds, _ in samples]
        axes.plot(times, [rss / MEGABYTE for _, rss in samples], label=work, lw=1.4)
        passed = times[-1]
    axes.set(xlabel="seconds", title=f"RSS over {memory.get('requests', 0)} requests, MB")
    axes.set_ylim(bottom=0)
    if memory["watched"]:
        axes.legend(frameon=False, fontsize=7)
    _clean(axes)
