"""What a registry does with a model while another takes its place, and after."""

import asyncio
import threading
import weakref
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import torch

from app.inference import model_loader, readiness
from app.inference.engine import DecoderInput, Engine
from app.inference.errors import OutOfMemoryError, ReloadError, ShuttingDownError
from app.inference.executor import ModelExecutor
from app.inference.model_loader import Files
from app.inference.registry import Registry
from app.observability.metrics import Metrics
from app.settings import Settings
from tests.app.conftest import DIM, Pixels, tiny_checkpoint
from vae.checkpoint import save

ZERO = [DecoderInput(torch.zeros(DIM))]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of the model ``mine``."""
    (tmp_path / "mine").mkdir()
    write(tmp_path / "mine", 1)
    return tmp_path / "mine"


def write(folder: Path, seed: int) -> None:
    save(tiny_checkpoint(seed), folder / "model.safetensors")


def with_registry(
    settings: Callable[..., Settings],
    folder: Path,
    scenario: Callable[[Registry], Awaitable[None]],
) -> None:
    async def run() -> None:
        loaded = Registry(settings(deterministic=True), Metrics(), lambda: None)
        await loaded.load([folder])
        await scenario(loaded)
        await loaded.close()

    asyncio.run(run())


def test_the_former_model_is_released_after_its_last_request(
    settings: Callable[..., Settings], folder: Path
) -> None:
    async def scenario(loaded: Registry) -> None:
        former = loaded.get("mine")
        weights = weakref.ref(former.checkpoint.model)
        [expected] = await former.decoder.run(ZERO)
        async with loaded.executor.limiter.call(lambda: 1):  # nothing else runs
            waiting = asyncio.create_task(former.decoder.run(ZERO * 3))
            await asyncio.sleep(0)
            write(folder, 2)
            reload = await loaded.reload("mine")
            assert (reload.outcome, reload.former) == ("reloaded", former.id)
            assert weights() is not None
        assert all((image == expected).all() for image in await waiting)
        [other] = await loaded.get("mine").decoder.run(ZERO)
        assert (other != expected).any()
        del former, waiting
        assert weights() is None

    with_registry(settings, folder, scenario)


def test_readiness_is_that_of_the_new_model(
    settings: Callable[..., Settings], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "MAX_SUCCESS_AGE_SECONDS", -1.0)  # a canary for each check
    means: list[torch.Tensor] = []
    decode_many = Engine.decode_many

    def recording(engine: Engine, inputs: list[DecoderInput]) -> list[Pixels]:
        means.append(inputs[0].latent)
        return decode_many(engine, inputs)

    async def scenario(loaded: Registry) -> None:
        monkeypatch.setattr(Engine, "decode_many", recording)
        write(folder, 2)
        await loaded.reload("mine")
        await loaded.check_ready()
        assert means[-1] is loaded.get("mine").checkpoint.statistics.mean

    with_registry(settings, folder, scenario)


class Held:
    """``model_loader._read``, which waits until ``go`` is set."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.go, self._begun, self.count = threading.Event(), threading.Event(), 0
        read = model_loader._read

        def waiting(executor: ModelExecutor, file: Path) -> Files:
            self.count += 1
            self._begun.set()
            assert self.go.wait(60)
            return read(executor, file)

        patch.setattr(model_loader, "_read", waiting)

    async def until_begun(self) -> None:
        assert await asyncio.to_thread(self._begun.wait, 60)


def test_reloads_are_one_at_a_time_and_end_without_their_callers(
    settings: Callable[..., Settings], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(loaded: Registry) -> None:
        read = Held(monkeypatch)
        write(folder, 2)
        first, second, third = (asyncio.create_task(loaded.reload("mine")) for _ in range(3))
        await read.until_begun()
        first.cancel()
        await asyncio.sleep(0.05)
        assert read.count == 1
        read.go.set()
        assert {(await task).outcome for task in (second, third)} == {"unchanged"}
        assert first.cancelled()
        assert (await second).former == (await second).model.id == loaded.get("mine").id

    with_registry(settings, folder, scenario)


def test_a_service_that_stops_meanwhile_does_not_wait(
    settings: Callable[..., Settings], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(loaded: Registry) -> None:
        read = Held(monkeypatch)
        reload = asyncio.create_task(loaded.reload("mine"))
        await read.until_begun()
        await loaded.close()
        assert loaded.executor.has_hung_threads
        read.go.set()
        for task in (reload, loaded.reload("mine")):
            with pytest.raises(ShuttingDownError):
                await task
        assert not loaded.executor.has_hung_threads

    with_registry(settings, folder, scenario)


@pytest.mark.parametrize(
    ("error", "becomes"),
    [
        (MemoryError(), OutOfMemoryError),
        (torch.OutOfMemoryError("CUDA out of memory"), OutOfMemoryError),
        (RuntimeError("no kernel"), ReloadError),
    ],
)
def test_a_model_that_does_not_run_is_left_out(
    settings: Callable[..., Settings],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    becomes: type[Exception],
) -> None:
    async def scenario(loaded: Registry) -> None:
        former = loaded.get("mine")

        def fail(*_: object) -> None:
            raise error

        monkeypatch.setattr(Engine, "warm_up", fail)
        write(folder, 2)
        with pytest.raises(becomes):
            await loaded.reload("mine")
        assert loaded.get("mine") is former
        assert await former.decoder.run(ZERO)

    with_registry(settings, folder, scenario)
