"""Requests to an application in this process, without a server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from fastapi import FastAPI
from starlette.types import Message

from app.application import create_app
from app.settings import Settings

CHUNK_BYTES = 2**16


@dataclass
class Reply:
    """What the application sent."""

    status: int = 0
    body: bytes = b""
    complete: bool = False


@dataclass
class Client:
    """A client that can disconnect."""

    app: FastAPI
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def get(self, path: str) -> Reply:
        """The reply to a request without a body."""
        return await self._request("GET", path, b"", {}, None)

    async def post(
        self,
        path: str,
        body: bytes,
        content_type: str,
        on_part: Callable[[Reply], Awaitable[None]] | None = None,
    ) -> Reply:
        """The reply to one request; ``on_part`` is awaited for each part of its body."""
        headers = {"content-type": content_type, "content-length": str(len(body))}
        return await self._request("POST", path, body, headers, on_part)

    async def _request(
        self,
        method: str,
        path: str,
        body: bytes,
        headers: dict[str, str],
        on_part: Callable[[Reply], Awaitable[None]] | None,
    ) -> Reply:
        chunks = [body[i : i + CHUNK_BYTES] for i in range(0, max(1, len(body)), CHUNK_BYTES)]
        messages = iter(
            {"type": "http.request", "body": chunk, "more_body": i < len(chunks) - 1}
            for i, chunk in enumerate(chunks)
        )
        reply = Reply()

        async def receive() -> Message:
            await asyncio.sleep(0)
            for message in messages:
                return message
            await self.gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                reply.status = message["status"]
            else:
                reply.body += message["body"]
                reply.complete = not message.get("more_body", False)
                if on_part is not None:
                    await on_part(reply)

        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path.partition("?")[0],
            "query_string": path.partition("?")[2].encode(),
            "root_path": "",
            "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
        }
        await self.app(scope, receive, send)
        return reply


@asynccontextmanager
async def started(settings: Settings) -> AsyncIterator[FastAPI]:
    """The application with its models loaded."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app
