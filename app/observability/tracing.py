"""Traces for OpenTelemetry: a span for each request, and below it where its time went.

Imported only where an endpoint is configured; the SDK reads the standard ``OTEL_*`` variables.
"""

import threading
import time
from collections.abc import Iterable, Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, format_trace_id, set_span_in_context
from opentelemetry.trace import Tracer as SpanMaker
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.observability import timing
from vae import __version__

FLUSH_SECONDS = 2.0
METHODS = {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"}
PROPAGATED = {b"traceparent", b"tracestate"}


class Trace:
    """The span of one request, from its whole head until its answer is handed over."""

    def __init__(self, maker: SpanMaker, span: Span, method: str) -> None:
        self._maker, self._span, self._method = maker, span, method
        self._epoch = time.time_ns() - time.perf_counter_ns()

    @property
    def id(self) -> str:
        """Of the whole trace, in hexadecimal."""
        return format_trace_id(self._span.get_span_context().trace_id)

    def end(self, status: int, route: str | None, steps: Sequence[timing.Span]) -> None:
        """End the span, and tell what its time went to.

        Args:
            status: of the answer.
            route: the path of its route; None where there is none.
            steps: parts of the request that are over; each becomes a child span.
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
            within = set_span_in_context(span)
            for step in steps:
                child = self._maker.start_span(
                    step.name,
                    within,
                    attributes={f"lorgnette.{k}": v for k, v in step.attributes.items()},
                    start_time=self._at(step.started),
                )
                child.end(self._at(step.ended))
        span.end()

    def _at(self, seconds: float) -> int:
        return self._epoch + round(seconds * 1e9)


class Tracer:
    """Makes spans and sends them from a thread of its own; what cannot be sent is dropped."""

    def __init__(self) -> None:
        resource = Resource.create()
        if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
            resource = resource.merge(Resource({SERVICE_NAME: "lorgnette"}))
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._maker = self._provider.get_tracer("lorgnette", __version__)

    def begin(
        self, method: str, path: str, scheme: str, headers: Iterable[tuple[bytes, bytes]]
    ) -> Trace:
        """Begin the span of a request, within its caller's trace if the headers name one."""
        caller = {k.decode(): v.decode("latin-1") for k, v in headers if k in PROPAGATED}
        known = method in METHODS
        span = self._maker.start_span(
            method if known else "HTTP",
            TraceContextTextMapPropagator().extract(caller),
            SpanKind.SERVER,
            {
                "http.request.method": method if known else "_OTHER",
                "url.path": path,
                "url.scheme": scheme,
            },
        )
        return Trace(self._maker, span, method if known else "HTTP")

    def close(self) -> None:
        """Send what is left, for as long as that may hold up the end of the process."""
        sender = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        sender.start()
        sender.join(FLUSH_SECONDS)
