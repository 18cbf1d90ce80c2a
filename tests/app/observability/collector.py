"""A collector of traces: takes OTLP over HTTP, and keeps what it was sent."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

PATIENCE = 30  # seconds


class Collector:
    """What has come in so far, and where to send more."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []

    @property
    def spans(self) -> list[Span]:
        return [
            span for group in self._groups for scope in group.scope_spans for span in scope.spans
        ]

    @property
    def services(self) -> set[str]:
        pairs = (pair for group in self._groups for pair in group.resource.attributes)
        return {pair.value.string_value for pair in pairs if pair.key == "service.name"}

    @property
    def _groups(self) -> list[Any]:
        requests = map(ExportTraceServiceRequest.FromString, list(self.bodies))
        return [group for request in requests for group in request.resource_spans]

    def trace(self, trace_id: str, complete: Callable[[Span], bool]) -> list[Span]:
        """The spans of a trace by start time, once one of them is the last awaited."""
        deadline = time.monotonic() + PATIENCE
        while True:
            spans = [span for span in self.spans if span.trace_id.hex() == trace_id]
            if any(map(complete, spans)):
                return sorted(spans, key=lambda span: span.start_time_unix_nano)
            assert time.monotonic() < deadline, spans
            time.sleep(0.05)


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path == "/v1/traces":
                collector.bodies.append(body)
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its name there
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        collector.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


def attributes(span: Span) -> dict[str, str | int]:
    """The attributes of a span."""
    return {pair.key: pair.value.string_value or pair.value.int_value for pair in span.attributes}
