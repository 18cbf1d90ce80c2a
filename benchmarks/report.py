"""Results as a markdown table and plots, from the raw files alone."""

import json
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from benchmarks.systems import NAIVE, OURS, STORED
from benchmarks.works import WORKS

Cell = dict[str, Any]
Key = tuple[str, str, int]

COLORS = {
    OURS: "#C2185B",
    NAIVE: "#757575",
    "litserve": "#7B52C7",
    "bentoml": "#1B8A5A",
    "ray": "#1F78C8",
    STORED: "#B0B0B0",
}
MEDIANS = (
    *("pictures_per_second", "p50_ms", "p95_ms", "p99_ms"),
    *("cpu_seconds_per_picture", "cpu_cores"),
)
MEGABYTE = 1e6
PLAIN = FuncFormatter(lambda value, _: f"{value:g}")  # 200, not 2 x 10^2


def write(folder: Path) -> list[Path]:
    """Write what the raw files in a folder allow, and say which files that is."""
    mpl.use("Agg")
    written: list[Path] = []
    if (file := folder / "comparison.json").exists():
        written += _comparison(json.loads(file.read_text()), folder)
    if (file := folder / "curves.json").exists():
        written += _curves(json.loads(file.read_text()), folder)
    return written


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
    speeds = [cell["pictures_per_second"] for cell in group]
    found["slowest"], found["fastest"] = min(speeds), max(speeds)
    found["requests"] = sum(cell["requests"] for cell in group)
    found["errors"] = sum(sum(cell["errors"].values()) for cell in group)
    found["rss_bytes"] = max(cell["rss_bytes"] for cell in group)
    found["pss_bytes"] = max(cell["pss_bytes"] for cell in group)
    found["rounds"] = len(group)
    return found


def _comparison(record: dict[str, Any], folder: Path) -> list[Path]:
    cells = medians(record["cells"])
    bounds = _limits(record["limits"])
    text = [
        "# Lorgnette and others",
        _about(record),
        "## Pictures a second, and the median latency",
        _summary(cells),
        _same(record["same"]),
        *([_limit_tables(cells, bounds)] if bounds else []),
        *(f"## `{work}`\n\n{_details(cells, work)}" for work in _works(cells)),
    ]
    (folder / "comparison.md").write_text("\n\n".join(text) + "\n")
    files = [folder / "comparison.md", _comparison_plot(cells, folder / "comparison.png")]
    if bounds:
        files.append(_limits_plot(bounds, folder / "limits.png"))
    return files


def _about(record: dict[str, Any]) -> str:
    about, plan = record["about"], record["plan"]
    rounds = len({cell["round"] for cell in record["cells"]})
    versions = "\n".join(f"- {name}: {text}" for name, text in about["versions"].items())
    return (
        f"{about['time']}, {about['cores']} cores of {about['cpu']}, Linux {about['kernel']}, "
        f"Python {about['python']}, {about['wrk']}. Checkpoint {about['checkpoint'][:12]}, PNGs of "
        f"the competitors by {plan['png']}. Medians of {rounds} rounds; errors are summed, memory "
        f"is the peak. Load average before: {about['load_before']:.2f}.\n\n{versions}"
    )


def _works(cells: dict[Key, Cell]) -> list[str]:
    return [name for name in WORKS if any(work == name for _, work, _ in cells)]


def _systems(cells: dict[Key, Cell]) -> list[str]:
    return [name for name in COLORS if any(system == name for system, _, _ in cells)]


def _clients(cells: dict[Key, Cell]) -> list[int]:
    return sorted({clients for _, _, clients in cells})


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def _summary(cells: dict[Key, Cell]) -> str:
    systems = [name for name in _systems(cells) if name != STORED]

    def entry(system: str, work: str, clients: int) -> str:
        cell = cells.get((system, work, clients))
        if cell is None:
            return ""
        return f"{cell['pictures_per_second']:.1f}, {_ms(cell['p50_ms'])}"

    rows = [
        [f"{work}, {clients}", *(entry(system, work, clients) for system in systems)]
        for work in _works(cells)
        for clients in _clients(cells)
    ]
    return _table(["work, clients", *systems], rows)


def _same(found: dict[str, list[int]]) -> str:
    worst = ", ".join(f"{name} {max(levels)}" for name, levels in found.items())
    return (
        "Largest difference from what the checkpoint alone draws of the same request, asked among "
        f"32 clients, in grey levels: {worst}."
    )


def _details(cells: dict[Key, Cell], work: str) -> str:
    head = ["system, clients", "pictures/s", "slowest to fastest round", "p50", "p95", "p99"]
    head += ["errors", "of requests", "RSS, MB", "PSS, MB", "CPU ms/picture"]
    keys = [(system, work, clients) for clients in _clients(cells) for system in _systems(cells)]
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


def _limits(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians over the rounds: pictures/s of the model by batch size, figures of the encoders."""
    if not rounds:
        return {}
    model = {
        way: {
            int(batch): statistics.median(found["model"][way][batch] for found in rounds)
            for batch in rounds[0]["model"][way]
        }
        for way in ("encode", "decode")
    }
    png = {
        name: {
            figure: statistics.median(found["png"][name][figure] for found in rounds)
            for figure in ("ms", "bytes")
        }
        for name in rounds[0]["png"]
    }
    return {"model": model, "png": png}


def model_bound(work: str, limits: dict[str, Any]) -> float:
    """Pictures/s if a work were nothing but the model at its best batch sizes."""
    encode, decode = (max(limits["model"][way].values()) for way in ("encode", "decode"))
    seconds = WORKS[work].encodes / encode + WORKS[work].decodes / decode
    return WORKS[work].decodes / float(seconds)


def _limit_tables(cells: dict[Key, Cell], limits: dict[str, Any]) -> str:
    parts = ["## Limits, and Lorgnette's share of them"]
    rows = [
        [f"{way}, batch of {batch}", f"{speed:.1f}"]
        for way, speeds in limits["model"].items()
        for batch, speed in speeds.items()
    ]
    parts.append(_table(["the model alone", "pictures/s"], rows))
    parts.append(_table(_SHARES, _shares(cells, limits)))
    png = [
        [name, f"{figures['ms']:.2f}", f"{figures['bytes'] / 1000:.1f}"]
        for name, figures in sorted(limits["png"].items(), key=lambda item: item[1]["ms"])
    ]
    parts.append(_table(["PNG encoding alone, one thread", "ms/picture", "kB/picture"], png))
    return "\n\n".join(parts)


_SHARES = [
    *("Lorgnette, work, clients", "pictures/s", "model alone", "share"),
    *("stored PNG, answers/s", "share", "PNG alone, one thread", "share"),
]


def _shares(cells: dict[Key, Cell], limits: dict[str, Any]) -> Iterable[list[str]]:
    png = 1000 / limits["png"]["app/png.py"]["ms"]
    for work in _works(cells):
        bound = model_bound(work, limits)
        for clients in _clients(cells):
            if (cell := cells.get((OURS, work, clients))) is None:
                continue
            speed = cell["pictures_per_second"]
            row = [f"{work}, {clients}", f"{speed:.1f}", f"{bound:.1f}", f"{speed / bound:.0%}"]
            http = cells.get((STORED, "sample", clients))
            if http is None:
                row += ["", ""]
            else:
                answers = speed / WORKS[work].decodes
                stored = http["pictures_per_second"]
                row += [f"{stored:.0f}", f"{answers / stored:.1%}"]
            yield [*row, f"{png:.0f}", f"{speed / png:.0%}"]


def _comparison_plot(cells: dict[Key, Cell], file: Path) -> Path:
    works = _works(cells)
    figure = Figure(figsize=(3.2 * len(works), 6.2), layout="constrained")
    axes = figure.subplots(2, len(works), squeeze=False, sharex=True)
    figures = (("pictures_per_second", "pictures/s"), ("p95_ms", "95th percentile of latency, ms"))
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
    for system in _systems(cells):
        if system == STORED:
            continue
        points = [
            (c, cells[system, work, c]) for c in _clients(cells) if (system, work, c) in cells
        ]
        clients, values = [c for c, _ in points], [cell[name] for _, cell in points]
        width = 2.4 if system == OURS else 1.4
        axes.plot(clients, values, "o-", ms=3, lw=width, color=COLORS[system], label=system)
    _clean(axes)
    axes.set_xscale("log", base=2)
    axes.set_xticks(_clients(cells), [str(c) for c in _clients(cells)])


def _clean(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#E6E6E6", lw=0.7)
    axes.set_axisbelow(True)


def _limits_plot(limits: dict[str, Any], file: Path) -> Path:
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for way, color in (("encode", "#1F78C8"), ("decode", "#C2185B")):
        speeds = limits["model"][way]
        left.plot(list(speeds), list(speeds.values()), "o-", color=color, label=way)
    left.set_xscale("log", base=2)
    left.set_xticks(list(limits["model"]["decode"]), [str(b) for b in limits["model"]["decode"]])
    left.set(title="the model alone", xlabel="batch size", ylabel="pictures/s")
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
    colors = [COLORS[OURS] if name == "app/png.py" else "#9E9E9E" for name in names]
    axes.barh(labels, [png[name]["ms"] for name in names], color=colors)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(PLAIN)
    axes.set(title="PNG encoding alone", xlabel="ms/picture, one thread")


CURVES = {
    "n": "pictures a request",
    "latents": "latents",
    "clients": "clients",
    "workers": "processes",
}


def _curves(record: dict[str, Any], folder: Path) -> list[Path]:
    points: list[Cell] = record["points"]
    head = ["curve", "pictures/s", "p50", "p95", "p99", "errors", "RSS, MB", "CPU ms/picture"]
    rows = [
        [
            f"{CURVES[p['curve']]}: {p['value']}",
            f"{p['pictures_per_second']:.1f}",
            *(_ms(p[name]) for name in ("p50_ms", "p95_ms", "p99_ms")),
            str(sum(p["errors"].values())),
            f"{p['rss_bytes'] / MEGABYTE:.0f}",
            f"{1000 * (p['cpu_seconds_per_picture'] or float('nan')):.1f}",
        ]
        for p in points
    ]
    text = ["# What Lorgnette costs", _table(head, rows)]
    if "memory" in record:
        text += ["## Memory over many requests", _memory_table(record["memory"])]
    (folder / "curves.md").write_text("\n\n".join(text) + "\n")
    return [folder / "curves.md", _curves_plot(record, folder / "curves.png")]


def _memory_table(memory: dict[str, Any]) -> str:
    """The median of each work's first and last quarter: what is in between is growth."""
    rows = []
    for work, requests, samples in memory["watched"]:
        sizes = [rss / MEGABYTE for _, rss in samples]
        quarter = max(1, len(sizes) // 4)
        first, last = statistics.median(sizes[:quarter]), statistics.median(sizes[-quarter:])
        rows.append([work, str(requests), f"{first:.0f}", f"{last:.0f}", f"{last - first:+.0f}"])
    head = ["work", "requests", "RSS, first quarter, MB", "last quarter, MB", "growth, MB"]
    return _table(head, rows)


def _curves_plot(record: dict[str, Any], file: Path) -> Path:
    rows: tuple[tuple[str, Callable[[Cell], float]], ...] = (
        ("pictures/s", lambda p: float(p["pictures_per_second"])),
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
