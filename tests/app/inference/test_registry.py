import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from app.inference import executor, limiter, readiness
from app.inference.engine import DecoderInput, Engine
from app.inference.errors import InferenceTimeoutError, NotReadyError
from app.inference.registry import Registry
from app.observability.metrics import Metrics
from app.settings import Settings
from tests.app.conftest import DIM, Pixels

Build = Callable[..., Settings]
MAX_QUEUE = 64
MODELS = 2  # that the settings of the tests serve


class ControlledEngine:
    """Decodes as usual, but only while ``open`` is set, and ``pace`` seconds later."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.open = threading.Event()
        self.open.set()
        self.pace = 0.0
        self.decoded: list[int] = []  # batch sizes
        decode_many = Engine.decode_many

        def controlled(engine: Engine, inputs: list[DecoderInput]) -> list[Pixels]:
            assert self.open.wait(20)
            time.sleep(self.pace)
            self.decoded.append(len(inputs))
            return decode_many(engine, inputs)

        patch.setattr(Engine, "decode_many", controlled)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Any:
    controlled = ControlledEngine(monkeypatch)
    yield controlled
    controlled.open.set()


def with_registry(settings: Settings, scenario: Callable[[Registry], Awaitable[None]]) -> Metrics:
    metrics = Metrics()

    async def run() -> None:
        loaded = Registry(settings, metrics, lambda: None)
        await loaded.load(map(Path, settings.models))
        await scenario(loaded)
        await loaded.close()

    asyncio.run(run())
    return metrics


async def ready(loaded: Registry) -> bool:
    try:
        await loaded.check_ready()
    except NotReadyError:
        return False
    return True


def test_it_is_ready_as_soon_as_models_are_loaded_and_until_it_closes(settings: Build) -> None:
    async def run() -> None:
        loaded = Registry(settings(), Metrics(), lambda: None)
        with pytest.raises(NotReadyError, match="no model is loaded yet"):
            await loaded.check_ready()
        await loaded.load(map(Path, settings().models))
        await loaded.check_ready()
        await loaded.close()
        with pytest.raises(NotReadyError, match="the service is stopping"):
            await loaded.check_ready()

    asyncio.run(run())


def test_it_stays_ready_while_the_queue_is_full(
    settings: Build, engine: ControlledEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "MAX_SUCCESS_AGE_SECONDS", 0.5)
    few = settings(max_batch=1, max_queue=MAX_QUEUE)
    few = few.model_copy(update={"models": few.models[:1]})

    async def scenario(loaded: Registry) -> None:
        engine.pace = 0.02
        decoder = loaded.get("tiny").decoder
        running = asyncio.create_task(decoder.run([DecoderInput(torch.zeros(DIM))]))
        await asyncio.sleep(0.001)
        full = asyncio.create_task(decoder.run([DecoderInput(torch.zeros(DIM))] * MAX_QUEUE))
        await asyncio.sleep(0)
        assert decoder.waiting == MAX_QUEUE
        checks = 0
        while not full.done():
            await loaded.check_ready()
            checks += not full.done()  # it did not wait for the queue
            await asyncio.sleep(0.05)
        assert checks > 1
        await asyncio.gather(running, full)

    with_registry(few, scenario)
    assert engine.decoded[2:] == [1] * (1 + MAX_QUEUE)  # after the warm-up: no canaries


def test_an_idle_model_decodes_one_canary_for_all_who_ask(
    settings: Build, engine: ControlledEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(loaded: Registry) -> None:
        engine.decoded.clear()
        for _ in range(3):
            await loaded.check_ready()
        assert engine.decoded == []
        monkeypatch.setattr(readiness, "MAX_SUCCESS_AGE_SECONDS", 0.2)
        await asyncio.sleep(0.25)
        engine.open.clear()
        checks = [asyncio.create_task(loaded.check_ready()) for _ in range(20)]
        await asyncio.sleep(0.05)
        engine.open.set()
        await asyncio.gather(*checks)
        assert engine.decoded == [1] * MODELS
        await loaded.get("tiny").decoder.run([DecoderInput(torch.zeros(DIM))])
        await loaded.check_ready()
        assert engine.decoded == [1] * (MODELS + 1)

    with_registry(settings(), scenario)


def test_any_batch_counts_as_a_canary(
    settings: Build, engine: ControlledEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(loaded: Registry) -> None:
        monkeypatch.setattr(readiness, "MAX_SUCCESS_AGE_SECONDS", 0.3)
        engine.decoded.clear()
        end = time.monotonic() + 1
        while time.monotonic() < end:
            for model in loaded:
                config = model.checkpoint.model.config
                image = torch.zeros(config.size, config.size, config.channels, dtype=torch.uint8)
                await model.encoder.run([image.numpy()])
            await loaded.check_ready()
            await asyncio.sleep(0.02)
        assert engine.decoded == []

    with_registry(settings(), scenario)


def test_a_model_that_hangs_is_not_ready_until_it_has_decoded_again(
    settings: Build, engine: ControlledEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "CANARY_TIMEOUT_SECONDS", 0.1)

    async def scenario(loaded: Registry) -> None:
        monkeypatch.setattr(readiness, "MAX_SUCCESS_AGE_SECONDS", 0.05)
        engine.open.clear()
        hung = asyncio.create_task(loaded.get("tiny").decoder.run([DecoderInput(torch.zeros(DIM))]))
        await asyncio.sleep(0.1)
        for _ in range(2):
            with pytest.raises(NotReadyError, match=r"no test image .* within 0\.1 seconds"):
                await loaded.check_ready()
        engine.open.set()
        await hung
        await asyncio.sleep(0.1)
        assert await ready(loaded)

    with_registry(settings(), scenario)


def test_a_timeout_makes_it_not_ready_at_once(
    settings: Build, engine: ControlledEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "CANARY_TIMEOUT_SECONDS", 5.0)

    async def scenario(loaded: Registry) -> None:
        engine.open.clear()
        with pytest.raises(InferenceTimeoutError):
            await loaded.get("tiny").decoder.run([DecoderInput(torch.zeros(DIM))])
        with pytest.raises(NotReadyError, match=r"could not be decoded: .* within 1 s"):
            await loaded.check_ready()
        engine.open.set()
        assert await ready(loaded)
        assert loaded.executor.threads.consecutive_timeouts == 0

    with_registry(settings(inference_timeout_seconds=1.0), scenario)


def test_a_dead_thread_is_found_and_replaced(settings: Build) -> None:
    async def scenario(loaded: Registry) -> None:
        [worker] = loaded.executor.threads._idle
        worker.jobs.put(None)
        worker.thread.join()
        assert not await ready(loaded)
        assert await ready(loaded)

    with_registry(settings(inference_timeout_seconds=1.0), scenario)


def test_threads_that_failed_for_good_are_not_ready(
    settings: Build, engine: ControlledEngine
) -> None:
    async def run() -> None:
        loaded = Registry(settings(inference_timeout_seconds=0.05), Metrics(), lambda: None)
        await loaded.load(map(Path, settings().models))
        engine.open.clear()
        for _ in range(4):
            with pytest.raises(InferenceTimeoutError):
                await loaded.get("tiny").decoder.run([DecoderInput(torch.zeros(DIM))])
        with pytest.raises(NotReadyError, match="for good"):
            await loaded.check_ready()
        engine.open.set()
        await loaded.close()

    asyncio.run(run())


@pytest.mark.parametrize(("interval", "readings"), [(0.0, 2), (60.0, 1)])
def test_device_memory_is_read_on_the_model_thread_and_at_intervals(
    settings: Build, monkeypatch: pytest.MonkeyPatch, interval: float, readings: int
) -> None:
    monkeypatch.setattr(executor, "DEVICE_MEMORY_SECONDS", interval)
    threads: list[str] = []

    def allocated() -> int:
        threads.append(threading.current_thread().name)
        return 1234

    monkeypatch.setattr(torch.cuda, "memory_allocated", allocated)

    async def scenario(loaded: Registry) -> None:
        loaded.executor.device = torch.device("cuda")
        for model in loaded:
            await model.decoder.run([DecoderInput(model.checkpoint.statistics.mean)])

    metrics = with_registry(settings(), scenario)
    for _ in range(3):
        assert b"lorgnette_device_memory_bytes 1234.0" in metrics.text()
    assert threads == ["model"] * readings  # at most one after each of the two batches


@pytest.mark.parametrize(
    ("cores", "calls"), [(1, 1), (2, 2), (3, 3), (4, 4), (6, 3), (7, 3), (8, 4), (9, 4), (64, 4)]
)
def test_concurrent_calls_use_at_least_four_fifths_of_the_cores(cores: int, calls: int) -> None:
    assert limiter.concurrent_calls(cores) == calls
