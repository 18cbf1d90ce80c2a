"""Sockets between the worker processes of a service: what one reloads, all reload."""

import asyncio
import contextlib
import json
import os
from asyncio import StreamReader, StreamWriter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.inference.registry import Registry

SOCKETS = "reload-*.sock"


@dataclass(frozen=True)
class WorkerReload:
    """What another worker says about a model.

    Attributes:
        outcome: as of ``Reload``, or ``failed``.
        detail: ``NAME@SHA256-12`` of the model that it serves, or what is wrong.
    """

    outcome: str
    detail: str


class WorkerChannel:
    """Asks the other workers to load a model again, and is asked by them.

    Each worker listens at a socket in the folder that they share, which only their user may open.
    It does so before it loads its models, so that none misses a change: who asks then waits.

    Args:
        folder: that all workers share.
        models: of this worker.
    """

    def __init__(self, folder: Path, models: Registry) -> None:
        self._folder, self._models = folder, models
        self._own = folder / SOCKETS.replace("*", str(os.getpid()))
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen to the other workers."""
        self._server = await asyncio.start_unix_server(self._answer, self._own)

    async def reload_elsewhere(self, name: str) -> Sequence[WorkerReload]:
        """Let every other worker load a model again, and wait for all of them.

        A worker that ends meanwhile is left out: the one in its place loads the new files.
        """
        others = [path for path in self._folder.glob(SOCKETS) if path != self._own]
        answers = await asyncio.gather(*(_ask(path, name) for path in others))
        return [answer for answer in answers if answer is not None]

    async def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            self._own.unlink(missing_ok=True)

    async def _answer(self, reader: StreamReader, writer: StreamWriter) -> None:
        if line := await reader.readline():
            try:
                reload = await self._models.reload(json.loads(line))
                answer = WorkerReload(reload.outcome, reload.model.id)
            except Exception as error:  # which the registry has logged
                answer = WorkerReload("failed", str(error))
            writer.write(json.dumps(vars(answer)).encode() + b"\n")
            with contextlib.suppress(ConnectionError):  # who asked may be gone
                await writer.drain()
        writer.close()


async def _ask(path: Path, name: str) -> WorkerReload | None:
    """The answer of the worker at a socket; None if it has ended."""
    try:
        reader, writer = await asyncio.open_unix_connection(path)
    except OSError:
        return None
    try:
        writer.write(json.dumps(name).encode() + b"\n")
        answer = await reader.readline()
    except ConnectionError:
        return None
    finally:
        writer.close()
    return WorkerReload(**json.loads(answer)) if answer else None
