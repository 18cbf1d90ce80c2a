"""Markdown tables."""

from collections.abc import Iterable, Sequence
from typing import Any


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table, as lines that begin with an empty one."""
    lines = [header, ["---"] * len(header), *rows]
    return ["", *("| " + " | ".join(line) + " |" for line in lines)]


def cell(value: Any) -> str:
    """A value, also a nested one, as the text of a cell."""
    if isinstance(value, dict):
        return ", ".join(
            f"{k} ({cell(v)})" if isinstance(v, dict) else f"{k} {cell(v)}"
            for k, v in value.items()
        )
    return str(value).replace("|", "\\|")
