"""The command line: ``python -m benchmarks compare``, ``curves`` or ``report``."""

import argparse
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks import check, compare, curves, load, processes, report
from benchmarks.systems import SYSTEMS
from benchmarks.works import WORKS


def main() -> int:
    """Do what the arguments say."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers are stopped
    wanted = _arguments()
    if wanted.what != "report" and shutil.which("wrk") is None:
        print("the load generator is missing: install wrk (Debian: apt-get install wrk)")
        return 2
    try:
        _run(wanted)
    except (check.WrongPictureError, load.LoadError, processes.ServerError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _run(wanted: argparse.Namespace) -> None:
    if wanted.what == "compare":
        plan = compare.Plan(
            systems=tuple(wanted.systems),
            works=tuple(wanted.works),
            concurrency=tuple(wanted.concurrency),
            rounds=wanted.rounds,
            bounds=replace(compare.LOAD, seconds=wanted.seconds),
            png=wanted.png,
            out=wanted.out,
        )
        compare.run(plan.quick() if wanted.quick else plan)
    elif wanted.what == "curves":
        course = replace(curves.Plan(), out=wanted.out)
        curves.run(course.quick() if wanted.quick else course)
    for file in report.write(wanted.out):
        print(file)


def _arguments() -> argparse.Namespace:
    plan = compare.Plan()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", choices=["compare", "curves", "report"])
    parser.add_argument("--quick", action="store_true", help="seconds, to see whether it works")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(plan.systems))
    parser.add_argument("--works", nargs="+", choices=WORKS, default=list(plan.works))
    parser.add_argument("--concurrency", nargs="+", type=int, default=list(plan.concurrency))
    parser.add_argument("--rounds", type=int, default=plan.rounds)
    parser.add_argument("--seconds", type=float, default=plan.bounds.seconds)
    parser.add_argument("--png", choices=["pillow", "lorgnette"], default=plan.png)
    parser.add_argument(
        "--out",
        type=Path,
        help="the folder for results (default: results; results/scratch for less than everything)",
    )
    wanted = parser.parse_args()
    if wanted.out is None:
        given = vars(wanted).items()
        whole = all(value == parser.get_default(name) for name, value in given if name != "what")
        wanted.out = plan.out if whole else plan.out / "scratch"
    return wanted


if __name__ == "__main__":
    sys.exit(main())
