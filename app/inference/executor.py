"""The device, its slots and the threads on which all models run."""

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import torch

from app.inference.batcher import Batcher
from app.inference.engine import choose_device
from app.inference.limiter import CapacityLimiter, concurrent_calls
from app.inference.readiness import Readiness
from app.inference.thread_pool import InferenceThreadPool
from app.inference.traced_networks import TracedNetworks
from app.observability.metrics import Metrics
from app.settings import Settings

DEVICE_MEMORY_SECONDS = 1.0  # between two readings of the device's memory, at least

T = TypeVar("T")
U = TypeVar("U")
BatchFunction = Callable[[list[T]], Awaitable[list[U]]]


class ModelExecutor:
    """Runs the batches of all models on one device, whose cores or GPU they share.

    Args:
        settings: the device, its threads, and the limits of batches and queues.
        metrics: of every queue and batch.
        on_fatal: called when model calls have timed out too often, or the device is lost.

    Attributes:
        settings: as given.
        device: that runs the models.
        cores: of the CPU, for all calls together.
        limiter: of the calls that run at the same time.
        threads: on which they run.
        readiness: of the models.
        graphs: of their networks, on a CPU.
    """

    def __init__(self, settings: Settings, metrics: Metrics, on_fatal: Callable[[], None]) -> None:
        self.settings, self._metrics = settings, metrics
        self.device = choose_device(settings.device)
        self.cores = settings.model_threads or torch.get_num_threads()
        one_call = self.device.type == "cuda" or settings.deterministic
        self.limiter = CapacityLimiter(1 if one_call else concurrent_calls(self.cores))
        self.threads = InferenceThreadPool(
            self.limiter.slots,
            settings.inference_timeout_seconds,
            on_fatal,
            metrics.inference_timeouts.inc,
        )
        self.readiness = Readiness(self.limiter, self.threads)
        self.graphs = TracedNetworks()
        self._beside: set[InferenceThreadPool] = set()
        self._device_memory = 0  # bytes; a reading may block, so it is made on a model thread
        self._next_memory_reading = 0.0
        metrics.watch_device(lambda: self._device_memory)

    def on_thread(self, work: Callable[[list[T]], list[U]], model: str) -> BatchFunction[T, U]:
        """``work`` on a model thread, with its share of the cores; every success is recorded."""

        def tracked(items: list[T], threads: int) -> list[U]:
            if torch.get_num_threads() != threads:  # a setting of each thread
                torch.set_num_threads(threads)
            results = work(items)
            self.read_device_memory()
            return results

        async def run(items: list[T]) -> list[U]:
            results = await self.threads.run(partial(tracked, items, self._threads_per_call()))
            self.readiness.record_success(model)
            return results

        return run

    async def run_beside(self, job: Callable[[], T]) -> T:
        """The result of a job beside the model calls, on a thread and a core of its own.

        The thread ends with the job: OpenMP waits less eagerly where there are more threads than
        cores.

        Raises:
            Exception: what ``job`` raised.
        """

        def on_one_core() -> T:
            torch.set_num_threads(1)  # of this thread
            return job()

        own = InferenceThreadPool(1, self.settings.inference_timeout_seconds, lambda: None)
        self._beside.add(own)
        try:
            return await own.run(on_one_core, limited=False)
        finally:
            own.close()
            if not own.has_hung_threads:
                self._beside.discard(own)

    @property
    def has_hung_threads(self) -> bool:
        """Whether the interpreter cannot exit cleanly, see ``InferenceThreadPool``."""
        return any(pool.has_hung_threads for pool in (self.threads, *self._beside))

    def batcher(self, work: BatchFunction[T, U], model: str, operation: str) -> Batcher[T, U]:
        """A queue before ``work``, with the limits of the settings."""
        limits = self.settings.max_batch, self.settings.max_queue
        labels = {"model": model, "operation": operation}
        observe = self._metrics.observe_batches(model, operation)
        return Batcher(work, self.limiter, *limits, observe, labels)

    def read_device_memory(self) -> None:
        """Read it at intervals: CUDA gathers all its statistics for one number."""
        if self.device.type == "cuda" and time.monotonic() >= self._next_memory_reading:
            self._next_memory_reading = time.monotonic() + DEVICE_MEMORY_SECONDS
            self._device_memory = torch.cuda.memory_allocated()

    def _threads_per_call(self) -> int:
        """CPU threads for the call that begins: all of them if it is the only one."""
        return self.cores if self.limiter.exclusive else self.cores // self.limiter.slots
