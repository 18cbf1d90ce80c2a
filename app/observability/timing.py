"""Where the time of a request and of a batch went."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Span:
    """A part of one request.

    Attributes:
        name: such as ``queue`` or ``batch``.
        started: by ``time.perf_counter``, in seconds.
        ended: by the same clock.
        attributes: recorded with the span of a trace.
    """

    name: str
    started: float
    ended: float
    attributes: Mapping[str, int | str]


@dataclass
class Timing:
    """The time that one request spent in each stage, in seconds; added up as it happens."""

    queue: float = 0.0
    model: float = 0.0
    encode: float = 0.0
    spans: list[Span] = field(default_factory=list)


@dataclass(frozen=True)
class Batch:
    """A batch that was run.

    Attributes:
        waited: seconds that each item waited in the queue.
        seconds: duration of the model call.
    """

    waited: Sequence[float]
    seconds: float
