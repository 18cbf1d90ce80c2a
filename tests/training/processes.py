"""``python -m training`` in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def start(*arguments: str) -> subprocess.Popen[str]:
    """A process whose output is read as one text."""
    return subprocess.Popen(
        [sys.executable, "-m", "training", *arguments],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "400"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def small_fit(data: Path, out: Path, run: Path) -> list[str]:
    """The faces recipe, small: 16 steps, saved after every step."""
    return f"""fit --preset faces --data {data} --out {out} --run {run} --size 32 --latent-dim 4
        --patch 4 --widths 8 12 --batch-size 6 --epochs 4 --weights fp32 --save-minutes 0
        --device cpu""".split()
