"""The curves of a run: what every step measured, such as losses."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

COLUMNS = 3
WIDTH, HEIGHT = 3.6, 2.6  # inches a curve
MEAN_FRACTION = 0.05  # of the entries, over which the bold curve is the mean


def write(entries: Sequence[Mapping[str, float]], file: Path) -> None:
    """Draw one curve for each term, by step, and its moving mean; nothing of fewer than 2 entries.

    Args:
        entries: as ``training.fit.loss_log.read`` gives them.
        file: PNG to write.
    """
    names = [name for name in dict.fromkeys(k for e in entries for k in e) if name != "step"]
    if len(entries) < 2 or not names:
        return
    rows = -(-len(names) // COLUMNS)
    columns = min(COLUMNS, len(names))
    figure = Figure(figsize=(WIDTH * columns, HEIGHT * rows), layout="constrained")
    for i, name in enumerate(names, start=1):
        axes = figure.add_subplot(rows, columns, i, title=name, xlabel="step")
        known = [entry for entry in entries if name in entry]
        steps = np.array([entry["step"] for entry in known])
        values = np.array([entry[name] for entry in known])
        window = max(1, round(MEAN_FRACTION * len(values)))
        axes.plot(steps, values, color="tab:blue", alpha=0.3, linewidth=0.8)
        mean = np.convolve(values, np.full(window, 1 / window), "valid")
        axes.plot(steps[window - 1 :], mean, color="tab:blue", linewidth=1.5)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)
