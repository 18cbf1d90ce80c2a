"""Loads models: from files to engines that have run, with their queues."""

from functools import partial
from pathlib import Path

import torch

from app.inference import classifier_engine, face_finder
from app.inference.batcher import Batcher
from app.inference.classifier_engine import ClassifierEngine, LoadedClassifier
from app.inference.engine import DecoderInput, Engine
from app.inference.errors import OutOfMemoryError, ReloadError
from app.inference.executor import ModelExecutor
from app.inference.face_finder import FaceEngine, FaceFinder
from app.inference.loaded_model import DECODE, ENCODE, LoadedModel
from app.inference.runners import is_out_of_memory
from app.observability.metrics import Metrics
from vae import checkpoint
from vae.checkpoint import Checkpoint, CheckpointError
from vae.faces.detector import load as load_detector

PROJECT = Path(__file__).parents[2]

Files = tuple[Checkpoint, ClassifierEngine | None]
Engines = tuple[Checkpoint, Engine, ClassifierEngine | None]


async def load_model(executor: ModelExecutor, name: str, file: Path) -> LoadedModel:
    """The model of a checkpoint, warmed up on a model thread; nothing may run there meanwhile.

    Raises:
        CheckpointError: if the checkpoint or the classifier beside it cannot be used.
    """

    def load() -> Engines:
        torch.set_num_threads(executor.cores)
        return _warmed_up(executor, _read(executor, file))

    return _connected(executor, name, await executor.threads.run(load, limited=False))


async def load_changed(
    executor: ModelExecutor, current: LoadedModel, file: Path
) -> LoadedModel | None:
    """The model of a file that has changed, warmed up while others serve; None if it has not.

    On a CPU it is loaded beside the model calls. On CUDA its graphs are captured, during which
    nothing else may use the device: requests wait.

    Args:
        executor: that runs the models.
        current: what was loaded from the file before.
        file: of the checkpoint.

    Raises:
        ReloadError: if the checkpoint or its classifier cannot be used, or has another shape.
        OutOfMemoryError: if there is not enough memory for both models.
    """
    try:
        found = await executor.run_beside(partial(_read, executor, file))
        if _hashes(found) == current.hashes:
            return None
        _check_shape(file, current, found[0])
        warm_up = partial(_warmed_up, executor, found)
        if executor.device.type != "cuda":
            engines = await executor.run_beside(warm_up)
        else:
            async with executor.limiter.call(lambda: 1):
                engines = await executor.threads.run(warm_up, limited=False)
    except CheckpointError as error:
        raise ReloadError(str(error)) from None
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            raise OutOfMemoryError("not enough memory for the former and the new model") from error
        raise ReloadError(f"{file}: the model does not run ({error})") from error
    return _connected(executor, current.name, engines)


def watch(executor: ModelExecutor, model: LoadedModel) -> None:
    """Let readiness be that of this model, which has just run."""
    canary = DecoderInput(model.checkpoint.statistics.mean)
    executor.readiness.watch(model.name, partial(model.decoder.run_now, [canary]))


async def load_faces(executor: ModelExecutor, metrics: Metrics) -> FaceFinder:
    """The face detector, warmed up on a model thread.

    Raises:
        CheckpointError: if its weights cannot be used.
    """
    return await executor.threads.run(partial(_load_faces, executor, metrics), limited=False)


def _read(executor: ModelExecutor, file: Path) -> Files:
    loaded = checkpoint.load(file)
    return loaded, classifier_engine.load(file.parent, executor.device)


def _hashes(files: Files) -> tuple[str, str]:
    loaded, classifier = files
    return loaded.sha256, "" if classifier is None else classifier.classifier.sha256


def _check_shape(file: Path, current: LoadedModel, found: Checkpoint) -> None:
    """Refuse a model whose images or latents clients could not exchange with the former."""
    config, former = found.model.config, current.checkpoint.model.config
    for value, before, what in (
        (config.shape, former.shape, "images"),
        ((config.latent_dim,), (former.latent_dim,), "latents"),
    ):
        if value != before:
            raise ReloadError(
                f"{file}: its {what} are {' x '.join(map(str, value))}, those of {current.id} are "
                f"{' x '.join(map(str, before))}; restart the service to serve another shape"
            )


def _warmed_up(executor: ModelExecutor, files: Files) -> Engines:
    loaded, classifier = files
    deterministic = executor.settings.deterministic
    engine = Engine(loaded, executor.device, deterministic, executor.graphs)
    engine.warm_up(executor.settings.max_batch)
    if classifier is not None:
        classifier.warm_up(loaded.model.config.size)
    executor.read_device_memory()
    return loaded, engine, classifier


def _connected(executor: ModelExecutor, name: str, engines: Engines) -> LoadedModel:
    """The model with its queues."""
    loaded, engine, classifier = engines
    encode = executor.on_thread(engine.encode_many, name)
    decode = executor.on_thread(engine.decode_many, name)
    return LoadedModel(
        name,
        loaded,
        executor.batcher(encode, name, ENCODE),
        executor.batcher(decode, name, DECODE),
        None if classifier is None else _loaded_classifier(executor, classifier, name),
    )


def _loaded_classifier(
    executor: ModelExecutor, engine: ClassifierEngine, model: str
) -> LoadedClassifier:
    predict = executor.on_thread(engine.predict_many, model)
    predictor = executor.batcher(predict, model, classifier_engine.OPERATION)
    return LoadedClassifier(engine.classifier, predictor)


def _load_faces(executor: ModelExecutor, metrics: Metrics) -> FaceFinder:
    torch.set_num_threads(executor.cores)
    settings = executor.settings
    file = Path(settings.face_detector)
    if not file.is_dir():
        file = PROJECT / file
    engine = FaceEngine(load_detector(file, executor.device), executor.device)
    engine.warm_up()
    name, operation = face_finder.NAME, face_finder.OPERATION
    detect = executor.on_thread(engine.detect_many, name)
    # One by one: other model calls wait no longer than one search takes.
    limits = 1, face_finder.MAX_PHOTOGRAPHS
    observe = metrics.observe_batches(name, operation)
    finder = FaceFinder(Batcher(detect, executor.limiter, *limits, observe), settings.max_queue)
    metrics.watch_queue(name, operation, lambda: finder.waiting)
    return finder
