"""What runs for as long as the process serves: the loaded models and the threads for images."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from app.inference.image_pool import ImagePool
from app.inference.registry import Registry
from app.inference.worker_channel import WorkerChannel
from app.observability.metrics import Metrics
from app.operations.context import Limits
from app.settings import Settings
from app.store.directions import DirectionStore

STOP_SECONDS = 5.0  # for the last model calls, whose requests have ended

log = logging.getLogger("lorgnette")


class Service:
    """The loaded models and the image threads, to be started and stopped.

    Args:
        settings: of the service.
        metrics: that the models report to.
        on_fatal: called when the models cannot serve any more in this process.

    Attributes:
        settings: as given.
        limits: of every request.
        models: the loaded models by name.
        image_pool: threads that decode and encode image files.
        store: of the directions that users saved.
        workers: the other worker processes; None if this is the only one.
    """

    def __init__(self, settings: Settings, metrics: Metrics, on_fatal: Callable[[], None]) -> None:
        self.settings = settings
        self.limits = Limits.from_settings(settings)
        self.models = Registry(settings, metrics, on_fatal)
        self.image_pool = ImagePool(settings.image_threads, settings.max_image_queue)
        self.store = DirectionStore(settings.directions_database)
        folder = settings.worker_dir
        self.workers = None if folder is None else WorkerChannel(folder, self.models)

    async def start(self) -> None:
        """Load and warm up every model.

        Raises:
            CheckpointError: if a checkpoint cannot be used, or its name cannot.
        """
        if self.workers is not None:
            await self.workers.start()
        await self.models.load(map(Path, self.settings.models))

    async def stop(self) -> None:
        """Finish what was accepted, then end the threads, except one whose model call hangs."""
        if self.workers is not None:
            await self.workers.close()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self.models.close()
        except TimeoutError:
            log.warning("a model call is still running; the service stops without it")
        self.image_pool.close()
        self.store.close()
