"""A real service, and the two clients, which every test of a method runs with."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from app.settings import Settings
from lorgnette_client import AsyncClient, Client
from tests.app.conftest import models, serving, settings, tiny_checkpoint
from vae.checkpoint import save

__all__ = ["models", "settings"]


class Caller(Protocol):
    def __call__(self, url: str, name: str, /, *args: Any, **options: Any) -> Any: ...


TEMPLATE = ((9.5, 9.0), (22.0, 9.5), (16.0, 17.0), (10.0, 22.0), (21.5, 22.0))


@pytest.fixture(scope="session")
def url(models: Path, settings: Callable[..., Settings]) -> Iterator[str]:
    """The address of a service of ``tiny``, ``grey``, and ``aligned``, which aligns faces.

    It is deterministic: the same request gives the same bytes.
    """
    aligned = replace(tiny_checkpoint(2), alignment_template=TEMPLATE)
    (models / "aligned").mkdir()
    save(aligned, models / "aligned" / "model.safetensors")
    places = tuple(str(models / name) for name in ("tiny", "grey", "aligned"))
    with serving(settings(models=places, deterministic=True)) as client:
        yield str(client.base_url)


def call_sync(url: str, name: str, /, *args: Any, **options: Any) -> Any:
    with Client(url) as client:
        return getattr(client, name)(*args, **options)


def call_async(url: str, name: str, /, *args: Any, **options: Any) -> Any:
    async def call() -> Any:
        async with AsyncClient(url) as client:
            return await getattr(client, name)(*args, **options)

    return asyncio.run(call())


@pytest.fixture(params=[call_sync, call_async], ids=["sync", "async"])
def caller(request: pytest.FixtureRequest) -> Caller:
    """Calls a method of a client by its name, synchronously or not."""
    chosen: Caller = request.param
    return chosen


@pytest.fixture
def call(url: str, caller: Caller) -> Callable[..., Any]:
    """The same, of the service of these tests."""
    return lambda name, /, *args, **options: caller(url, name, *args, **options)
