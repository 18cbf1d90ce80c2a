"""The command line: ``python -m benchmarks WHAT``.

WHAT is ``compare``, ``curves``, ``detail``, ``detection``, ``inpainting``, ``stall`` or ``report``.
"""

import argparse
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks import (
    check,
    compare,
    curves,
    detail,
    detection,
    inpainting,
    load,
    processes,
    report,
    stall,
)
from benchmarks.systems import SYSTEMS
from benchmarks.works import WORKS

WHAT = ("compare", "curves", "detail", "detection", "inpainting", "stall", "report")
ERRORS = (
    check.WrongImageError,
    load.LoadError,
    processes.ServerError,
    detail.NoDetailError,
    detection.NoPicturesError,
    inpainting.NoRegressionError,
)


def main() -> int:
    """Run the command that the arguments name."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers are stopped
    arguments = _parse_arguments()
    if arguments.what in ("compare", "curves") and shutil.which("wrk") is None:
        print("the load generator is missing: install wrk (Debian: apt-get install wrk)")
        return 2
    try:
        _run(arguments)
    except ERRORS as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _run(arguments: argparse.Namespace) -> None:
    if arguments.what == "compare":
        plan = compare.Plan(
            systems=tuple(arguments.systems),
            works=tuple(arguments.works),
            concurrency=tuple(arguments.concurrency),
            rounds=arguments.rounds,
            bounds=replace(compare.LOAD, seconds=arguments.seconds),
            png=arguments.png,
            out=arguments.out,
        )
        compare.run(plan.quick() if arguments.quick else plan)
    elif arguments.what == "curves":
        curves_plan = replace(curves.Plan(), out=arguments.out)
        curves.run(curves_plan.quick() if arguments.quick else curves_plan)
    elif arguments.what == "detail":
        rounds = 2 if arguments.quick else detail.ROUNDS
        print(*detail.run(arguments.out, rounds), sep="\n")
        return
    elif arguments.what == "stall":
        print(*stall.run(arguments.out, 2 if arguments.quick else stall.ROUNDS), sep="\n")
        return
    elif arguments.what == "detection":
        count = 2 if arguments.quick else detection.COUNT
        print(*detection.run(arguments.out, arguments.faces, count), sep="\n")
        return
    elif arguments.what == "inpainting":
        count = 2 if arguments.quick else inpainting.COUNT
        print(*inpainting.run(arguments.out, arguments.faces, count), sep="\n")
        return
    for file in report.write(arguments.out):
        print(file)


def _parse_arguments() -> argparse.Namespace:
    plan = compare.Plan()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", choices=WHAT)
    parser.add_argument("--quick", action="store_true", help="takes seconds; checks that it works")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(plan.systems))
    parser.add_argument("--works", nargs="+", choices=WORKS, default=list(plan.works))
    parser.add_argument("--concurrency", nargs="+", type=int, default=list(plan.concurrency))
    parser.add_argument("--rounds", type=int, default=plan.rounds)
    parser.add_argument("--seconds", type=float, default=plan.bounds.seconds)
    parser.add_argument("--png", choices=["pillow", "lorgnette"], default=plan.png)
    parser.add_argument(
        "--faces", type=Path, help="detection, inpainting: a folder of pictures of one face"
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="the folder for results (default: results, or results/scratch with other options)",
    )
    arguments = parser.parse_args()
    if arguments.what in ("detection", "inpainting") and arguments.faces is None:
        parser.error(f"{arguments.what} needs --faces, a folder of pictures with one face each")
    if arguments.out is None:
        options = vars(arguments).items()
        is_complete = all(
            value == parser.get_default(name)
            for name, value in options
            if name not in ("what", "faces")
        )
        arguments.out = plan.out if is_complete else plan.out / "scratch"
    return arguments


if __name__ == "__main__":
    sys.exit(main())
