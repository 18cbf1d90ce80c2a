"""Pieces of Markdown that both reports share."""

from collections.abc import Iterable
from typing import Any


def machine(environment: dict[str, Any]) -> str:
    """The machine and the versions of a record, in a line."""
    e = environment
    return (
        f"{e['time']}, {e['cores']} cores of {e['cpu']}, Linux {e['kernel']}, "
        f"Python {e['python']}, {e['wrk']}. Checkpoint {e['checkpoint'][:12]}. "
        f"Load average before: {e['load_before']:.2f}."
    )


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """A Markdown table, numbers to the right."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def milliseconds(value: float) -> str:
    """A time in milliseconds with its unit, from a second on in seconds."""
    return f"{value / 1000:.2f} s" if value >= 1000 else f"{value:.1f} ms"
