"""All models run on the same threads and share the slots for calls."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import torch

from app.inference.engine import DecoderInput
from app.inference.registry import Registry
from app.observability.metrics import Metrics
from app.settings import Settings


def test_models_share_the_slots_for_calls(settings: Callable[..., Settings]) -> None:
    async def run() -> None:
        loaded = Registry(settings(deterministic=True), Metrics(), lambda: None)
        await loaded.load(map(Path, settings().models))
        async with loaded.executor.limiter.call(lambda: 1):
            calls = [
                asyncio.create_task(model.decoder.run([DecoderInput(torch.zeros(model.dim))]))
                for model in loaded
            ]
            await asyncio.sleep(0.01)
            assert [model.waiting("decode") for model in loaded] == [1, 1]
        assert len(await asyncio.gather(*calls)) == 2
        await loaded.close()

    asyncio.run(run())
