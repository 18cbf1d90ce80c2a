"""What a checkpoint says of itself in its metadata: each fact of the kind that it has to be."""

import math
from typing import Any


def check(facts: dict[str, Any]) -> None:
    """Refuse facts of the wrong kind; what is missing is for others to find.

    Raises:
        ValueError: naming the first of them.
    """
    sigma = facts.get("sigma")
    if sigma is not None and not (_is_number(sigma) and sigma > 0):
        raise ValueError(f"sigma is {_short(sigma)}; it must be a positive number or null")
    labels = facts.get("labels", [])
    if not (isinstance(labels, list) and all(isinstance(label, str) for label in labels)):
        raise ValueError(f"labels is {_short(labels)}; it must be a list of names")
    for name in ("metrics", "provenance", "directions"):
        if not isinstance(facts.get(name, {}), dict):
            raise ValueError(f"{name} is {_short(facts[name])}; it must be an object")
    for name, about in facts.get("directions", {}).items():
        _check_direction(name, about)


def _check_direction(name: str, about: object) -> None:
    if not isinstance(about, dict):
        raise ValueError(f"direction {name!r} is {_short(about)}; it must be an object")
    for field in ("meaning", "method"):
        if not isinstance(about.get(field, ""), str):
            raise ValueError(f"{field} of direction {name!r} must be text")
    count = about.get("count", 0)
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise ValueError(f"count of direction {name!r} is {_short(count)}; it must be a count")


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond every float
        return False


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
