"""A quick run of a benchmark, as a command."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def run_quick(out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments, "--quick", "--out", str(out)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def bench(out: Path, *arguments: str) -> set[str]:
    """The files that a quick run names as written."""
    ran = run_quick(out, *arguments)
    assert ran.returncode == 0, ran.stderr
    names = {Path(line).name for line in ran.stdout.splitlines()}
    assert all((out / name).is_file() for name in names)
    return names
