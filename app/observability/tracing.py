"""Traces for OpenTelemetry: one span for each request, with child spans for its parts.

Imported only where ``tracing_config.tracing_enabled``; the SDK reads the standard ``OTEL_*``
variables.
"""

import threading
import time
from collections.abc import Iterable, Sequence

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import get_global_textmap
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode

from app.observability.timing import Span

SHUTDOWN_SECONDS = 2.0
METHODS = {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"}


class Trace:
    """The span of one request, from the end of its headers to the end of its response."""

    def __init__(self, tracer: trace.Tracer, span: trace.Span, method: str) -> None:
        self._tracer, self._span, self._method = tracer, span, method
        self._clock_offset = time.time_ns() - time.perf_counter_ns()

    @property
    def id(self) -> str:
        """The trace id, 32 hexadecimal digits."""
        return trace.format_trace_id(self._span.get_span_context().trace_id)

    def end(self, status: int, route: str | None, parts: Sequence[Span]) -> None:
        """End the span.

        Args:
            status: HTTP status code.
            route: path of the route, such as ``/models/{name}``; None where no route matched.
            parts: parts of the request, all ended; each becomes a child span.
        """
        span = self._span
        if route is not None:
            span.update_name(f"{self._method} {route}")
            span.set_attribute("http.route", route)
        span.set_attribute("http.response.status_code", status)
        if status >= 500:
            span.set_attribute("error.type", str(status))
            span.set_status(StatusCode.ERROR)
        if span.is_recording():
            self._add_children(parts)
        span.end()

    def _add_children(self, parts: Sequence[Span]) -> None:
        parent = trace.set_span_in_context(self._span)
        for part in parts:
            child = self._tracer.start_span(
                part.name,
                parent,
                attributes={f"lorgnette.{k}": v for k, v in part.attributes.items()},
                start_time=self._unix_ns(part.started),
            )
            child.end(self._unix_ns(part.ended))

    def _unix_ns(self, seconds: float) -> int:
        """Nanoseconds since 1970 of a time by ``time.perf_counter``."""
        return self._clock_offset + round(seconds * 1e9)


class Tracer:
    """Makes the spans of requests; a thread sends them, and drops those that cannot be sent.

    Args:
        version: of Lorgnette.
    """

    def __init__(self, version: str) -> None:
        resource = Resource.create()
        if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
            resource = resource.merge(Resource({SERVICE_NAME: "lorgnette"}))
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("lorgnette", version)
        self._propagator = get_global_textmap()  # of OTEL_PROPAGATORS
        self._propagated = {name.lower().encode() for name in self._propagator.fields}

    def begin(
        self, method: str, path: str, scheme: str, headers: Iterable[tuple[bytes, bytes]]
    ) -> Trace:
        """Begin the span of a request, within the client's trace if the headers name one."""
        carrier = {k.decode(): v.decode("latin-1") for k, v in headers if k in self._propagated}
        known = method in METHODS
        span = self._tracer.start_span(
            method if known else "HTTP",
            self._propagator.extract(carrier),
            SpanKind.SERVER,
            {
                "http.request.method": method if known else "_OTHER",
                "url.path": path,
                "url.scheme": scheme,
            },
        )
        return Trace(self._tracer, span, method if known else "HTTP")

    def close(self) -> None:
        """Send the spans that are left, for at most ``SHUTDOWN_SECONDS``."""
        sender = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        sender.start()
        sender.join(SHUTDOWN_SECONDS)
