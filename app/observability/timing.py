"""Where the time of a request and of a batch went."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Span:
    """A part of one request: its begin and end by ``time.perf_counter``, and facts about it."""

    name: str
    started: float
    ended: float
    attributes: Mapping[str, int | str]


@dataclass
class Timing:
    """Where the time of one request went, in seconds; filled in as it happens."""

    queue: float = 0.0
    model: float = 0.0
    encode: float = 0.0
    spans: list[Span] = field(default_factory=list)


@dataclass(frozen=True)
class Batch:
    """A batch that ran: how long each of its items had waited, and how long it took, in seconds."""

    waited: Sequence[float]
    seconds: float
