"""Whether the loaded models can serve requests, without waiting behind requests."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from app.inference.errors import NotReadyError
from app.inference.limiter import CapacityLimiter
from app.inference.thread_pool import InferenceThreadPool

MAX_SUCCESS_AGE_SECONDS = 10.0
CANARY_TIMEOUT_SECONDS = 3.0  # less than a health check waits for the response


class Readiness:
    """Keeps track of when each model last ran a batch.

    A model is ready if it ran a batch lately, for whichever request; a full queue does not change
    that. Otherwise it decodes a canary, a single latent. The canary bypasses the request queue and
    takes the next free slot.

    Args:
        limiter: of the model calls.
        threads: on which models run.
    """

    def __init__(self, limiter: CapacityLimiter, threads: InferenceThreadPool) -> None:
        self._limiter, self._threads = limiter, threads
        self._canaries: dict[str, Callable[[], Awaitable[object]]] = {}
        self._succeeded_at: dict[str, float] = {}  # by time.monotonic
        self._running: asyncio.Task[None] | None = None

    def watch(self, model: str, canary: Callable[[], Awaitable[object]]) -> None:
        """Watch a model that has just run; ``canary`` runs it once and records its success."""
        self._canaries[model] = canary
        self.record_success(model)

    def record_success(self, model: str) -> None:
        """Record that a batch of this model returned, if it is watched."""
        if model in self._canaries:
            self._succeeded_at[model] = time.monotonic()

    async def check(self) -> None:
        """Return if every model ran a batch lately, or runs a canary now.

        Raises:
            NotReadyError: if the threads have failed for good, or a canary fails or takes longer
                than ``CANARY_TIMEOUT_SECONDS``.
        """
        if self._threads.fatal:
            raise NotReadyError("the model failed for good; the service is ending")
        if self._threads.is_healthy and not self._stale():
            return
        if self._running is None or self._running.done():  # one for all who ask at the time
            self._running = asyncio.create_task(self._run_canaries())
            self._running.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.wait({self._running}, timeout=CANARY_TIMEOUT_SECONDS)
        if not self._running.done():
            raise NotReadyError(
                f"no test image was decoded within {CANARY_TIMEOUT_SECONDS:g} seconds"
            )
        if error := self._running.exception():
            raise NotReadyError(f"a test image could not be decoded: {error}")

    async def close(self) -> None:
        """Wait for a canary that is running."""
        if self._running is not None:
            await asyncio.wait({self._running})

    def _stale(self) -> list[str]:
        """The models that ran no batch lately."""
        oldest = time.monotonic() - MAX_SUCCESS_AGE_SECONDS
        return [model for model, at in self._succeeded_at.items() if at < oldest]

    async def _run_canaries(self) -> None:
        for model in self._stale() or self._canaries:
            async with self._limiter.call(lambda: 1):
                await self._canaries[model]()
