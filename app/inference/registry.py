"""The loaded models by name: loaded at the start, and again when their files have changed."""

import asyncio
import logging
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, get_args

from app.inference.errors import NotReadyError, ShuttingDownError, UnknownModelError
from app.inference.executor import ModelExecutor
from app.inference.face_finder import FaceFinder
from app.inference.heap import trim_heap
from app.inference.loaded_model import OPERATIONS, LoadedModel
from app.inference.model_loader import load_changed, load_faces, load_model, watch
from app.observability.metrics import Metrics
from app.settings import Settings
from vae.checkpoint import CheckpointError

Outcome = Literal["reloaded", "unchanged"]
OUTCOMES = (*get_args(Outcome), "failed")

log = logging.getLogger("lorgnette")


@dataclass(frozen=True)
class Reload:
    """What came of loading a model again.

    Attributes:
        outcome: ``unchanged`` if its files are those that were loaded.
        former: ``NAME@SHA256-12`` before.
        model: that serves now.
    """

    outcome: Outcome
    former: str
    model: LoadedModel


class Registry:
    """The loaded models by name, in the order of the settings; the first is the default.

    Args:
        settings: the device, its threads, and the limits of batches and queues.
        metrics: of every model, queue and batch.
        on_fatal: called when model calls have timed out too often, or the device is lost.

    Attributes:
        executor: runs all models.
    """

    def __init__(self, settings: Settings, metrics: Metrics, on_fatal: Callable[[], None]) -> None:
        self.executor = ModelExecutor(settings, metrics, on_fatal)
        self._metrics = metrics
        self._models: dict[str, LoadedModel] = {}
        self._files: dict[str, Path] = {}
        self._replaced = weakref.WeakSet[LoadedModel]()  # those that requests still use
        self._faces: FaceFinder | None = None
        self._loading = asyncio.Lock()
        self._reloads: set[asyncio.Task[Reload]] = set()
        self._closed = False

    def __iter__(self) -> Iterator[LoadedModel]:
        return iter(self._models.values())

    def get(self, name: str | None) -> LoadedModel:
        """The model of this name, or of this ``NAME@SHA256-12``, or the default.

        Raises:
            UnknownModelError: if there is none.
        """
        if name is None:
            return next(iter(self))
        for model in self:
            if name in (model.name, model.id):
                return model
        raise UnknownModelError(f"no model {name!r}; loaded are {', '.join(self._models)}")

    @property
    def faces(self) -> FaceFinder:
        """Finds faces in photographs.

        Raises:
            NotReadyError: if nothing is loaded yet.
        """
        if self._faces is None:
            raise NotReadyError("the face detector is not loaded yet")
        return self._faces

    async def load(self, paths: Iterable[Path]) -> None:
        """Load and warm up the face detector, and the model at each path, a folder or a file.

        Raises:
            CheckpointError: if a checkpoint, the classifier beside it or its name cannot be used.
        """
        async with self._loading:
            self._faces = await load_faces(self.executor, self._metrics)
            for path in paths:
                name, file = _resolve(path)
                if name in self._models:
                    raise CheckpointError(f"{path}: another model is named {name!r} already")
                if not (name.isascii() and name.isprintable()):
                    raise CheckpointError(
                        f"{path}: a model's name must fit a header; rename {name!r}"
                    )
                self._serve(await load_model(self.executor, name, file))
                self._files[name] = file
                self._add_metrics(name)

    async def reload(self, name: str) -> Reload:
        """Load a model again if its files have changed, one model at a time.

        Requests that have begun finish with the former model, which is released then; later ones
        use the new model. If the new one cannot be used, the former goes on. A caller that is
        cancelled does not stop it.

        Raises:
            UnknownModelError: if there is none of this name.
            ReloadError: if the new files cannot be used.
            OutOfMemoryError: if there is not enough memory for both.
            ShuttingDownError: if the service is stopping.
        """
        task = asyncio.get_running_loop().create_task(self._reload(name))
        self._reloads.add(task)
        task.add_done_callback(self._reload_ended)
        return await asyncio.shield(task)

    async def reload_all(self) -> None:
        """Load each model again whose files have changed; the log and the metrics say what came."""
        reloads = (self.reload(name) for name in self._models)
        await asyncio.gather(*reloads, return_exceptions=True)

    async def check_ready(self) -> None:
        """Return if requests can be served: every model ran a batch lately, or does so now.

        Raises:
            NotReadyError: if no model is loaded, the service is stopping, or a model does not
                respond.
        """
        if self._closed:
            raise NotReadyError("the service is stopping")
        if not self._models:
            raise NotReadyError("no model is loaded yet")
        await self.executor.readiness.check()

    async def close(self) -> None:
        """Finish what was accepted, then end the threads."""
        self._closed = True
        await self.executor.readiness.close()
        if self._faces is not None:
            await self._faces.close()
        for model in (*self, *self._replaced):
            await model.close()
        self.executor.threads.close()

    async def _reload(self, name: str) -> Reload:
        reload = await self._replace(name)
        if (
            reload.outcome == "reloaded"
        ):  # what reading and checking took, and most often the former
            await self.executor.run_beside(trim_heap)
        return reload

    async def _replace(self, name: str) -> Reload:
        async with self._loading:
            if self._closed:
                raise ShuttingDownError("the service is stopping")
            former = self.get(name)
            name = former.name
            try:
                new = await load_changed(self.executor, former, self._files[name])
                if self._closed:
                    raise ShuttingDownError("the service is stopping")
            except Exception as error:
                self._metrics.reloads.labels(name, "failed").inc()
                log.error("%s goes on; its new files were not loaded: %s", former.id, error)
                raise
            outcome: Outcome = "unchanged"
            if new is not None:
                outcome = "reloaded"
                self._replaced.add(former)
                self._metrics.models.labels(name, former.checkpoint.sha256).set(0)
                self._serve(new)
            self._metrics.reloads.labels(name, outcome).inc()
            reload = Reload(outcome, former.id, self._models[name])
            log.info("%s: %s; %s serves", former.id, outcome, reload.model.id)
            return reload

    def _reload_ended(self, task: "asyncio.Task[Reload]") -> None:
        self._reloads.discard(task)
        if not task.cancelled():
            task.exception()  # seen, in case nobody waits for it any more

    def _serve(self, model: LoadedModel) -> None:
        """Let new requests use a model that has run."""
        self._models[model.name] = model
        watch(self.executor, model)
        self._metrics.models.labels(model.name, model.checkpoint.sha256).set(1)

    def _add_metrics(self, name: str) -> None:
        for operation in OPERATIONS:
            self._metrics.watch_queue(name, operation, partial(self._waiting, name, operation))
        for outcome in OUTCOMES:
            self._metrics.reloads.labels(name, outcome)

    def _waiting(self, name: str, operation: str) -> int:
        models = (self._models[name], *self._replaced)
        return sum(model.waiting(operation) for model in models if model.name == name)


def _resolve(path: Path) -> tuple[str, Path]:
    """The name of the model at a path, and its file."""
    if path.suffix == ".safetensors":
        return path.stem, path
    return path.absolute().name, path / "model.safetensors"
