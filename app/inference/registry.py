"""The loaded models, and the threads on which all of them run."""

import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch

from app.inference import classifier_engine, face_finder
from app.inference.batcher import Batcher
from app.inference.classifier_engine import ClassifierEngine, LoadedClassifier
from app.inference.engine import DecoderInput, Engine, Pixels, Posterior, choose_device
from app.inference.errors import NotReadyError, UnknownModelError
from app.inference.face_finder import FaceEngine, FaceFinder
from app.inference.limiter import CapacityLimiter, concurrent_calls
from app.inference.readiness import Readiness
from app.inference.thread_pool import InferenceThreadPool
from app.observability.metrics import Metrics
from app.settings import Settings
from vae import checkpoint
from vae.checkpoint import Checkpoint, CheckpointError
from vae.faces.detector import load as load_detector

PROJECT = Path(__file__).parents[2]
DEVICE_MEMORY_SECONDS = 1.0  # between two readings of the device's memory, at least

T = TypeVar("T")
U = TypeVar("U")
BatchFunction = Callable[[list[T]], Awaitable[list[U]]]


@dataclass(frozen=True)
class LoadedModel:
    """A model that is loaded, with its two batched primitives.

    Attributes:
        encoder: images, uint8 ``(S, S, C)``, to posteriors.
        decoder: latents with their detail to images, uint8 ``(S, S, C)``.
        classifier: of the attributes of its images, None if the checkpoint has none beside it.
    """

    name: str
    checkpoint: Checkpoint
    encoder: Batcher[Pixels, Posterior]
    decoder: Batcher[DecoderInput, Pixels]
    classifier: LoadedClassifier | None = None

    @property
    def id(self) -> str:
        """``NAME@SHA256-12``."""
        return f"{self.name}@{self.checkpoint.sha256[:12]}"

    @property
    def dim(self) -> int:
        """Length of a latent."""
        return self.checkpoint.model.config.latent_dim

    @property
    def max_detail(self) -> float:
        """1 for a model with a detail branch (see ``vae.detail``), else 0."""
        return self.checkpoint.model.max_detail


class Registry:
    """The loaded models by name, in the order of the settings; the first is the default.

    Args:
        settings: the device, its threads, and the limits of batches and queues.
        metrics: of every model, queue and batch.
        on_fatal: called when model calls have timed out too often, or the device is lost.
    """

    def __init__(self, settings: Settings, metrics: Metrics, on_fatal: Callable[[], None]) -> None:
        self.device = choose_device(settings.device)
        self._settings, self._metrics = settings, metrics
        self._cores = settings.model_threads or torch.get_num_threads()
        one_call = self.device.type == "cuda" or settings.deterministic
        self._limiter = CapacityLimiter(1 if one_call else concurrent_calls(self._cores))
        timeout = settings.inference_timeout_seconds
        count_timeout = metrics.inference_timeouts.inc
        self.threads = InferenceThreadPool(self._limiter.slots, timeout, on_fatal, count_timeout)
        self._readiness = Readiness(self._limiter, self.threads)
        self._models: dict[str, LoadedModel] = {}
        self._faces: FaceFinder | None = None
        self._closed = False
        self._device_memory = 0  # bytes; a reading may block, so it is made on a model thread
        self._next_memory_reading = 0.0
        metrics.watch_device(lambda: self._device_memory)

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
        self._faces = await self.threads.run(self._load_faces, limited=False)
        for path in paths:
            name, file = _resolve(path)
            if name in self._models:
                raise CheckpointError(f"{path}: another model is named {name!r} already")
            if not (name.isascii() and name.isprintable()):
                raise CheckpointError(f"{path}: a model's name must fit a header; rename {name!r}")
            load = partial(self._load, file)
            loaded, engine, classifier = await self.threads.run(load, limited=False)
            encode = self._on_thread(engine.encode_many, name)
            decode = self._on_thread(engine.decode_many, name)
            self._models[name] = LoadedModel(
                name,
                loaded,
                self._batcher(encode, name, "encode"),
                self._batcher(decode, name, "decode"),
                None if classifier is None else self._loaded_classifier(classifier, name),
            )
            self._readiness.watch(name, partial(decode, [DecoderInput(loaded.statistics.mean)]))
            self._metrics.models.labels(name, loaded.sha256).set(1)

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
        await self._readiness.check()

    async def close(self) -> None:
        """Finish what was accepted, then end the threads."""
        self._closed = True
        await self._readiness.close()
        if self._faces is not None:
            await self._faces.close()
        for model in self:
            await model.encoder.close()
            await model.decoder.close()
            if model.classifier is not None:
                await model.classifier.predictor.close()
        self.threads.close()

    def _load(self, file: Path) -> tuple[Checkpoint, Engine, ClassifierEngine | None]:
        torch.set_num_threads(self._cores)
        loaded = checkpoint.load(file)
        engine = Engine(loaded, self.device, self._settings.deterministic)
        engine.warm_up(self._settings.max_batch)
        classifier = classifier_engine.load(file.parent, self.device)
        if classifier is not None:
            classifier.warm_up(loaded.model.config.size)
        self._read_device_memory()
        return loaded, engine, classifier

    def _loaded_classifier(self, engine: ClassifierEngine, model: str) -> LoadedClassifier:
        predict = self._on_thread(engine.predict_many, model)
        predictor = self._batcher(predict, model, classifier_engine.OPERATION)
        return LoadedClassifier(engine.classifier, predictor)

    def _load_faces(self) -> FaceFinder:
        torch.set_num_threads(self._cores)
        file = Path(self._settings.face_detector)
        if not file.is_dir():
            file = PROJECT / file
        engine = FaceEngine(load_detector(file, self.device), self.device)
        engine.warm_up()
        name, operation = face_finder.NAME, face_finder.OPERATION
        detect = self._on_thread(engine.detect_many, name)
        # One by one: other model calls wait no longer than one search takes.
        limits = 1, face_finder.MAX_PHOTOGRAPHS
        observe = self._metrics.observe_batches(name, operation)
        finder = FaceFinder(
            Batcher(detect, self._limiter, *limits, observe), self._settings.max_queue
        )
        self._metrics.watch_queue(name, operation, lambda: finder.waiting)
        return finder

    def _on_thread(self, work: Callable[[list[T]], list[U]], model: str) -> BatchFunction[T, U]:
        """``work`` on a model thread, with its share of the cores; every success is recorded."""

        def tracked(items: list[T], threads: int) -> list[U]:
            if torch.get_num_threads() != threads:  # a setting of each thread
                torch.set_num_threads(threads)
            results = work(items)
            self._read_device_memory()
            return results

        async def run(items: list[T]) -> list[U]:
            results = await self.threads.run(partial(tracked, items, self._threads_per_call()))
            self._readiness.record_success(model)
            return results

        return run

    def _batcher(self, work: BatchFunction[T, U], model: str, operation: str) -> Batcher[T, U]:
        limits = self._settings.max_batch, self._settings.max_queue
        labels = {"model": model, "operation": operation}
        observe = self._metrics.observe_batches(model, operation)
        batcher = Batcher(work, self._limiter, *limits, observe, labels)
        self._metrics.watch_queue(model, operation, lambda: batcher.waiting)
        return batcher

    def _threads_per_call(self) -> int:
        """CPU threads for the call that begins: all of them if it is the only one."""
        return self._cores if self._limiter.exclusive else self._cores // self._limiter.slots

    def _read_device_memory(self) -> None:
        """Read it at intervals: CUDA gathers all its statistics for one number."""
        if self.device.type == "cuda" and time.monotonic() >= self._next_memory_reading:
            self._next_memory_reading = time.monotonic() + DEVICE_MEMORY_SECONDS
            self._device_memory = torch.cuda.memory_allocated()


def _resolve(path: Path) -> tuple[str, Path]:
    """The name of the model at a path, and its file."""
    if path.suffix == ".safetensors":
        return path.stem, path
    return path.absolute().name, path / "model.safetensors"
