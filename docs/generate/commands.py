"""The sections of the training's command line, from its ``--help``."""

import os
import re
import subprocess
import sys

from docs.generate.repository import ROOT

WIDTH = "78"  # characters: what a page shows without scrolling
COMMANDS = """
import contextlib
from training.cli.commands import COMMANDS, parse
for name in COMMANDS:
    print(f"COMMAND {name}", flush=True)
    with contextlib.suppress(SystemExit):
        parse([name, "--help"])
"""
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def text() -> str:
    """A section for each command, in Markdown.

    Raises:
        subprocess.CalledProcessError: if the training cannot be imported.
    """
    printed = subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "-c", COMMANDS],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": WIDTH, "NO_COLOR": "1"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    sections = ESCAPES.sub("", printed).split("COMMAND ")[1:]
    return "\n".join(_section(section) for section in sections)


def _section(section: str) -> str:
    name, _, printed = section.partition("\n")
    lines = "\n".join(line.rstrip() for line in printed.strip().splitlines())
    return f"## {name}\n\n```text\n{lines}\n```\n"
