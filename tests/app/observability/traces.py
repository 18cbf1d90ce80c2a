"""A process that sends traces, and a caller that has one."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import Popen

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.app.processes import running

CALLER = "b7ad6b7169203331"
MODULE = "tests.app.faulty"


@contextmanager
def traced(
    models: Path,
    faults: Path,
    endpoint: str,
    **more: str,
) -> Iterator[tuple[Popen[str], httpx.Client]]:
    """A process that sends traces; ``more`` are settings."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        patch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")  # which would send more than ours
        served = running(MODULE, str(faults), MODELS=str(models / "tiny"), **more)
        process, client = stack.enter_context(served)
        patch.undo()  # which is for that process alone
        yield process, client


def caller(number: int) -> tuple[str, dict[str, str]]:
    """A trace of a caller, and the header that names it."""
    trace = f"{number:032x}"
    return trace, {"traceparent": f"00-{trace}-{CALLER}-01"}


def is_server(span: Span) -> bool:
    return span.kind == Span.SPAN_KIND_SERVER
