"""What the service does, counted for Prometheus."""

import os
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from app.observability.timing import Batch

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
PICTURES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """One registry a service, so that two in one process do not share their counts."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "lorgnette_requests",
            "Answers by path and status.",
            ("path", "status"),
            registry=registry,
        )
        self.request_seconds = Histogram(
            "lorgnette_request_seconds",
            "From the whole head of a request until its answer is handed over.",
            ("path",),
            buckets=SECONDS,
            registry=registry,
        )
        self.rejections = Counter(
            "lorgnette_rejections", "Problems answered, by type.", ("reason",), registry=registry
        )
        self.queue_seconds = Histogram(
            "lorgnette_queue_seconds",
            "Time that a picture or latent waited for the model.",
            ("model", "work"),
            buckets=SECONDS,
            registry=registry,
        )
        self.batch_pictures = Histogram(
            "lorgnette_batch_pictures",
            "Pictures or latents in one model call.",
            ("model", "work"),
            buckets=PICTURES,
            registry=registry,
        )
        self.model_seconds = Histogram(
            "lorgnette_model_seconds",
            "Time of one model call.",
            ("model", "work"),
            buckets=SECONDS,
            registry=registry,
        )
        self.answer_seconds = Histogram(
            "lorgnette_answer_seconds",
            "Time to write one answer: PNG, JSON or npy.",
            buckets=SECONDS,
            registry=registry,
        )
        self.models = Gauge(
            "lorgnette_model_info",
            "1 for each loaded model.",
            ("model", "sha256"),
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._queued = Gauge(
            "lorgnette_queue_pictures",
            "Pictures or latents that wait for the model.",
            ("model", "work"),
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._memory = Gauge(
            "lorgnette_device_memory_bytes",
            "Memory allocated on the device.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.lost_calls = Counter(
            "lorgnette_model_lost_calls", "Model calls that hung.", registry=registry
        )
        self._watched: list[tuple[Gauge, Callable[[], float]]] = []
        self._one_of_several = "PROMETHEUS_MULTIPROC_DIR" in os.environ

    def count_answer(self, path: str, status: int, seconds: float) -> None:
        """Count an answer by the path of its route."""
        self.requests.labels(path, status).inc()
        self.request_seconds.labels(path).observe(seconds)
        if self._one_of_several:
            self._refresh()  # for whichever of them is asked

    def of_batches(self, model: str, work: str) -> Callable[[Batch], None]:
        """What to tell of every batch of this model and work."""
        waits = self.queue_seconds.labels(model, work)
        sizes = self.batch_pictures.labels(model, work)
        times = self.model_seconds.labels(model, work)

        def observe(batch: Batch) -> None:
            for seconds in batch.waited:
                waits.observe(seconds)
            sizes.observe(len(batch.waited))
            times.observe(batch.seconds)

        return observe

    def watch_queue(self, model: str, work: str, depth: Callable[[], float]) -> None:
        """Ask ``depth`` for the length of a queue when it is wanted."""
        self._watched.append((self._queued.labels(model, work), depth))

    def watch_device(self, memory: Callable[[], float]) -> None:
        """Ask ``memory`` for bytes when they are wanted."""
        self._watched.append((self._memory, memory))

    def text(self) -> bytes:
        """Everything, of all workers together, in Prometheus' text format."""
        self._refresh()
        if not self._one_of_several:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)

    def _refresh(self) -> None:
        for gauge, ask in self._watched:
            gauge.set(ask())
