"""The playground: the page at ``/``, and the script, style sheet and icon that it loads.

Its sources are in ``playground``; ``make playground`` bundles them into the folder of this module.
"""

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.routing import Route

from app.http.caching import check_tag
from app.http.compression import accepts_gzip
from app.http.context import request_context

FOLDER = Path(__file__).parent / "playground"
PAGE = "index.html"
MEDIA_TYPES = {
    PAGE: "text/html; charset=utf-8",
    "playground.js": "text/javascript; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
VARY = "Accept-Encoding"


@dataclass(frozen=True)
class PageFile:
    """A file of the page, as it is and compressed."""

    body: bytes
    compressed: bytes
    digest: str
    media_type: str


def routes() -> list[Route]:
    """The routes of the page. They need no API key: the page asks for one where it is needed."""
    files = {name: _read(FOLDER / name, kind) for name, kind in MEDIA_TYPES.items()}

    async def page(request: Request) -> Response:
        return _respond(request, files[PAGE])

    async def asset(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in files or name == PAGE:
            raise HTTPException(404)
        return _respond(request, files[name])

    return [
        Route("/", page, methods=["GET"], include_in_schema=False),
        Route("/playground/{name}", asset, methods=["GET"], include_in_schema=False),
    ]


def _read(path: Path, media_type: str) -> PageFile:
    body = path.read_bytes()
    digest = hashlib.sha256(body).hexdigest()[:32]
    return PageFile(body, gzip.compress(body, mtime=0), digest, media_type)


def _respond(request: Request, file: PageFile) -> Response:
    compressed = accepts_gzip(request.scope)
    tag = f'"{file.digest}{"-gzip" if compressed else ""}"'
    request_context(request.scope).is_page = True
    check_tag(request, tag, "no-cache", VARY)  # a new version of the service has a new page
    headers = {"Vary": VARY}
    if compressed:
        headers["Content-Encoding"] = "gzip"
    body = file.compressed if compressed else file.body
    return Response(body, headers=headers, media_type=file.media_type)
