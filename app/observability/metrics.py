"""Metrics for Prometheus: requests, errors, queues, batches and times."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from app.observability import process_metrics
from app.observability.timing import Batch

DURATION_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
BATCH_SIZE_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """All metrics of one service, in a registry of its own.

    Attributes:
        http_errors: problem responses; label ``type``, the last part of the problem's URN.
        response_encode_seconds: histogram of the time to encode one response.
        models: 1 for each loaded model, 0 for one that another has replaced; labels ``model`` and
            ``sha256``.
        reloads: requests and signals to load a model again; labels ``model`` and ``outcome``.
        inference_timeouts: model calls that ran into the inference timeout.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._gauge_readers: list[tuple[Gauge, Callable[[], float]]] = []
        folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        self._workers = None if folder is None else Path(folder)
        self._add_http_metrics()
        self._add_inference_metrics()

    def _add_http_metrics(self) -> None:
        self._http_requests = Counter(
            "lorgnette_http_requests",
            "Responses by route and status.",
            ("path", "status"),
            registry=self.registry,
        )
        self._http_request_duration = self._durations(
            "lorgnette_http_request_duration_seconds",
            "Time from the end of a request's headers to the end of its response.",
            "path",
        )
        self.http_errors = Counter(
            "lorgnette_http_errors",
            "Problem responses (RFC 9457) by type.",
            ("type",),
            registry=self.registry,
        )
        self.response_encode_seconds = self._durations(
            "lorgnette_response_encode_seconds", "Time to encode one response: PNG, JSON or npy."
        )

    def _add_inference_metrics(self) -> None:
        labels = ("model", "operation")
        self.models = self._gauge(
            "lorgnette_model_info",
            "1 for each loaded model, 0 for one that another has replaced.",
            ("model", "sha256"),
            "livemax",
        )
        self.reloads = Counter(
            "lorgnette_model_reloads",
            "Times that a model was to be loaded again: reloaded, unchanged or failed.",
            ("model", "outcome"),
            registry=self.registry,
        )
        self._queue_depth = self._gauge(
            "lorgnette_queue_depth", "Images or latents that wait for the model.", labels, "livesum"
        )
        self._queue_wait = self._durations(
            "lorgnette_queue_wait_seconds",
            "Time that an image or latent waited for the model.",
            *labels,
        )
        self._batch_size = Histogram(
            "lorgnette_batch_size",
            "Images or latents in one model call.",
            labels,
            buckets=BATCH_SIZE_BUCKETS,
            registry=self.registry,
        )
        self._inference = self._durations(
            "lorgnette_inference_seconds", "Duration of one model call.", *labels
        )
        self.inference_timeouts = Counter(
            "lorgnette_inference_timeouts",
            "Model calls that took longer than the inference timeout.",
            registry=self.registry,
        )
        self._device_memory = self._gauge(
            "lorgnette_device_memory_bytes", "Memory allocated on the device.", (), "livesum"
        )

    def _durations(self, name: str, documentation: str, *labels: str) -> Histogram:
        return Histogram(
            name, documentation, labels, buckets=DURATION_BUCKETS, registry=self.registry
        )

    def _gauge(
        self,
        name: str,
        documentation: str,
        labels: tuple[str, ...],
        across_workers: Literal["livemax", "livesum"],
    ) -> Gauge:
        return Gauge(
            name,
            documentation,
            labels,
            registry=self.registry,
            multiprocess_mode=across_workers,
        )

    def count_response(self, path: str, status: int, seconds: float) -> None:
        """Count a response.

        Args:
            path: of the route, such as ``/models/{name}``, so that clients add no time series.
            status: HTTP status code.
            seconds: duration of the request.
        """
        self._http_requests.labels(path, status).inc()
        self._http_request_duration.labels(path).observe(seconds)
        if self._workers is not None:
            self._read_gauges()  # another worker may be the next that is scraped

    def observe_batches(self, model: str, operation: str) -> Callable[[Batch], None]:
        """A function that records each batch of this model and operation."""
        waits = self._queue_wait.labels(model, operation)
        sizes = self._batch_size.labels(model, operation)
        durations = self._inference.labels(model, operation)

        def observe(batch: Batch) -> None:
            for seconds in batch.waited:
                waits.observe(seconds)
            sizes.observe(len(batch.waited))
            durations.observe(batch.seconds)

        return observe

    def watch_queue(self, model: str, operation: str, depth: Callable[[], float]) -> None:
        """Call ``depth`` for the length of a queue at every scrape."""
        self._gauge_readers.append((self._queue_depth.labels(model, operation), depth))

    def watch_device(self, memory: Callable[[], float]) -> None:
        """Call ``memory`` for the bytes allocated on the device at every scrape."""
        self._gauge_readers.append((self._device_memory, memory))

    def text(self) -> bytes:
        """All metrics, summed over all workers, and those of each process, as Prometheus' text."""
        self._read_gauges()
        processes = CollectorRegistry()
        process_metrics.register(processes, self._workers)
        if self._workers is None:
            return generate_latest(self.registry) + generate_latest(processes)
        MultiProcessCollector(processes)  # type: ignore[no-untyped-call]
        return generate_latest(processes)

    def _read_gauges(self) -> None:
        for gauge, read in self._gauge_readers:
            gauge.set(read())
