"""The models that are loaded, and the threads on which all of them run."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from app.inference.batcher import Batcher
from app.inference.engine import Engine, Pixels, Posterior, choose_device
from app.inference.limiter import CapacityLimiter
from app.inference.thread_pool import InferenceThreadPool
from app.observability.metrics import Metrics
from app.settings import Settings
from vae import checkpoint
from vae.checkpoint import Checkpoint, CheckpointError

MAX_CONCURRENT_CALLS, MIN_CORE_USE = (
    4,
    0.8,
)  # at the same time on a CPU; share of its cores (decision 18)
MEMORY_SECONDS = 1.0  # at least, between two looks at the memory of the device

T = TypeVar("T")
U = TypeVar("U")


class UnknownModelError(Exception):
    """No loaded model has this name."""


@dataclass(frozen=True)
class LoadedModel:
    """A model that is loaded, with its two batched primitives."""

    name: str
    checkpoint: Checkpoint
    encoder: Batcher[Pixels, Posterior]
    decoder: Batcher[Tensor, Pixels]

    @property
    def id(self) -> str:
        """``NAME@SHA256-12``."""
        return f"{self.name}@{self.checkpoint.sha256[:12]}"

    @property
    def dim(self) -> int:
        """Length of a latent."""
        return self.checkpoint.model.config.latent_dim


class Registry:
    """The loaded models by name, in the order of the settings; the first is the default.

    Args:
        settings: the device, its threads, and the limits of batches and queues.
        metrics: told of every model, queue and batch.
        on_given_up: called when model threads have been lost too often.
    """

    def __init__(self, settings: Settings, metrics: Metrics, on_fatal: Callable[[], None]) -> None:
        self.device = choose_device(settings.device)
        self._settings, self._metrics = settings, metrics
        self._cores = settings.model_threads or torch.get_num_threads()
        single = self.device.type == "cuda" or settings.deterministic
        self._gate = CapacityLimiter(1 if single else places(self._cores))
        self.threads = InferenceThreadPool(
            self._gate.places,
            settings.inference_timeout_seconds,
            on_fatal,
            metrics.inference_timeouts.inc,
        )
        self._loaded: dict[str, LoadedModel] = {}
        self._canary: asyncio.Task[None] | None = None
        self._device_memory = 0  # bytes, after one of the last batches; to ask may block
        self._memory_due = 0.0
        metrics.watch_device(lambda: self._device_memory)

    def __iter__(self) -> Iterator[LoadedModel]:
        return iter(self._loaded.values())

    def get(self, name: str | None) -> LoadedModel:
        """The model of this name, or the default.

        Raises:
            UnknownModelError: if there is none.
        """
        if name is None:
            return next(iter(self))
        if name not in self._loaded:
            raise UnknownModelError(f"no model {name!r}; loaded are {', '.join(self._loaded)}")
        return self._loaded[name]

    async def load(self, places: Iterable[Path]) -> None:
        """Load and warm up the model at each place, a folder or a file.

        Raises:
            CheckpointError: if a checkpoint cannot be used, or its name cannot.
        """
        for place in places:
            name, file = _found(place)
            if name in self._loaded:
                raise CheckpointError(f"{place}: another model is named {name!r} already")
            if not (name.isascii() and name.isprintable()):
                raise CheckpointError(f"{place}: a model's name must fit a header; rename {name!r}")
            loaded, engine = await self.threads.run(partial(self._load, file), limited=False)
            self._loaded[name] = LoadedModel(
                name,
                loaded,
                self._batcher(engine.encode_many, name, "encode"),
                self._batcher(engine.decode_many, name, "decode"),
            )
            self._metrics.models.labels(name, loaded.sha256).set(1)

    async def canary(self) -> None:
        """Decode the prior mean of every model, as any request would be; one for all who ask."""
        if self._canary is None or self._canary.done():
            self._canary = asyncio.ensure_future(self._decode_canaries())
            self._canary.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.shield(self._canary)

    async def close(self) -> None:
        """Finish what was accepted, then let the threads go."""
        for served in self:
            await served.encoder.close()
            await served.decoder.close()
        self.threads.close()

    async def _decode_canaries(self) -> None:
        for served in self:
            await served.decoder.run([served.checkpoint.statistics.mean])

    def _load(self, file: Path) -> tuple[Checkpoint, Engine]:
        torch.set_num_threads(self._cores)
        loaded = checkpoint.load(file)
        engine = Engine(loaded, self.device, self._settings.deterministic)
        engine.warm_up(self._settings.max_batch)
        self._note_memory()
        return loaded, engine

    def _batcher(self, work: Callable[[list[T]], list[U]], model: str, kind: str) -> Batcher[T, U]:
        def noting(items: list[T], cores: int) -> list[U]:
            if torch.get_num_threads() != cores:  # of this thread
                torch.set_num_threads(cores)
            answers = work(items)
            self._note_memory()
            return answers

        async def on_thread(items: list[T]) -> list[U]:
            return await self.threads.run(partial(noting, items, self._share()))

        limits = (self._settings.max_batch, self._settings.max_queue)
        observe, about = (
            self._metrics.observe_batches(model, kind),
            {"model": model, "operation": kind},
        )
        batcher = Batcher(on_thread, self._gate, *limits, observe, about)
        self._metrics.watch_queue(model, kind, lambda: batcher.waiting)
        return batcher

    def _share(self) -> int:
        """The cores for the call that begins: all, if it has the models to itself."""
        return self._cores if self._gate.whole else self._cores // self._gate.places

    def _note_memory(self) -> None:
        """Ask CUDA, now and then: it makes up all of its statistics for one number."""
        if self.device.type == "cuda" and time.monotonic() >= self._memory_due:
            self._memory_due = time.monotonic() + MEMORY_SECONDS
            self._device_memory = torch.cuda.memory_allocated()


def places(cores: int) -> int:
    """For how many calls at a time the cores are shared out, few of them left over."""
    return max(
        n for n in range(1, MAX_CONCURRENT_CALLS + 1) if cores // n * n >= MIN_CORE_USE * cores
    )


def _found(path: Path) -> tuple[str, Path]:
    """The name of the model at a path, and its file."""
    if path.suffix == ".safetensors":
        return path.stem, path
    return path.absolute().name, path / "model.safetensors"
