"""The five works: the requests to every system, byte for byte the same."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from benchmarks.load import Target
from training.data.avatars import png, portrait

BODIES = 16  # of each work, sent in turn
SEED, FIRST_IDENTITY = 0, 8000  # portraits that the bundled model was not trained on
BOUNDARY = "lorgnette-benchmark"
JSON, FORM = "application/json", f"multipart/form-data; boundary={BOUNDARY}"
SHEET, STEPS, SIZE = 16, 8, 256
QUALITY = 90  # of the JPEGs


@dataclass(frozen=True)
class Work:
    """One kind of request.

    Attributes:
        name: in tables.
        path: of the endpoint.
        encodes: images that the encoder takes for one request.
        decodes: images that the decoder makes for one request; throughput counts them.
        columns: tiles a row in the response.
    """

    name: str
    path: str
    encodes: int
    decodes: int
    columns: int = 1

    @property
    def width(self) -> int:
        """Of the response, in pixels."""
        return SIZE * self.columns

    @property
    def height(self) -> int:
        """Of the response, in pixels."""
        return SIZE * -(-self.decodes // self.columns)

    @property
    def content_type(self) -> str:
        """Of the request."""
        return FORM if self.encodes else JSON

    @property
    def path_and_query(self) -> str:
        """Of the request; every system runs the decoder alone, and searches for no faces."""
        return f"{self.path}?detail=0{'&align=false' if self.encodes else ''}"

    def seed(self, i: int) -> int:
        """Of the i-th request, where it has one; no two share an image."""
        return self.decodes * i

    def body(self, i: int) -> bytes:
        """The i-th request of this kind."""
        match self.path:
            case "/sample":
                return json.dumps({"n": self.decodes, "seed": self.seed(i)}).encode()
            case "/reconstruct":
                return form({"image": jpeg(i)}, {})
            case "/interpolate":
                return form({"start": jpeg(i), "end": jpeg(i + 1)}, {"steps": str(STEPS)})
        operands = {"a": jpeg(i), "b": jpeg(i + 1), "c": jpeg(i + 2)}
        return form(operands, {"expression": "a - b + c"})


WORKS = {
    work.name: work
    for work in (
        Work("sample", "/sample", encodes=0, decodes=1),
        Work("sheet", "/sample", encodes=0, decodes=SHEET, columns=4),
        Work("reconstruct", "/reconstruct", encodes=1, decodes=1),
        Work("interpolate", "/interpolate", encodes=2, decodes=STEPS, columns=STEPS),
        Work("arithmetic", "/arithmetic", encodes=3, decodes=1),
    )
}


def jpeg(i: int) -> bytes:
    """A drawn portrait, 256 x 256."""
    stream = io.BytesIO()
    drawn = Image.open(io.BytesIO(png(portrait(SEED, FIRST_IDENTITY + i % BODIES))))
    drawn.convert("RGB").save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue()


def form(files: Mapping[str, bytes], fields: Mapping[str, str]) -> bytes:
    """A ``multipart/form-data`` body."""
    parts = [
        _part(f'name="{name}"; filename="{name}.jpg"\r\nContent-Type: image/jpeg', data)
        for name, data in files.items()
    ]
    parts += [_part(f'name="{name}"', text.encode()) for name, text in fields.items()]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def _part(header: str, data: bytes) -> bytes:
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; {header}\r\n\r\n"
    return head.encode() + data + b"\r\n"


def write(work: Work, folder: Path, count: int = BODIES) -> None:
    """Write the bodies of a work as files for the load generator."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        (folder / str(i)).write_bytes(work.body(i))


def target(work: Work, folder: Path, port: int, count: int = BODIES) -> Target:
    """A work as the load generator takes it, from bodies that were written."""
    url = f"http://127.0.0.1:{port}{work.path_and_query}"
    return Target(url, folder, count, work.content_type, work.width, work.height)
