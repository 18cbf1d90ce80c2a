"""Several images as an animation or an archive, one image at a time."""

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Protocol, TypeVar

from app.http.negotiation import APNG, GIF
from app.http.responses import ImageSource
from app.images.apng import ApngWriter
from app.images.gif import GifWriter, palette_positions
from app.images.resizing import resized
from app.images.zip_archive import ZipWriter
from app.inference.engine import Pixels
from app.observability.metrics import Metrics
from app.observability.timing import Span
from app.operations.context import Context, ImageRunner
from app.operations.decode import DecodedImage, PlannedImage, decode_in_order

R = TypeVar("R")


class SequenceWriter(Protocol):
    """The parts of a response of several images."""

    def add(self, image: DecodedImage) -> bytes:
        """The part of the next image."""

    def finish(self) -> bytes:
        """The part after the last image."""


async def parts_of_sequence(
    context: Context,
    source: ImageSource,
    planned: Sequence[PlannedImage],
    image_pool: ImageRunner,
    metrics: Metrics,
) -> AsyncGenerator[bytes, None]:
    """The parts of an animation or archive, each as soon as its image is decoded.

    Args:
        context: of the request; its timing gets the time to encode.
        source: model and format of the images.
        planned: the images, at least one.
        image_pool: encodes them.
        metrics: get the time to encode all of them.
    """
    count, timing = len(planned), context.timing
    needed = _needed_first(source.output.media_type, count)
    rest = [i for i in range(count) if i not in needed]
    order = [planned[i] for i in (*needed, *rest)]

    async def timed(work: Callable[[], R]) -> R:
        started = time.perf_counter()
        result = await image_pool.run(work)
        timing.encode += time.perf_counter() - started
        return result

    async with aclosing(decode_in_order(context, order, len(needed))) as decoded:
        first = {i: await anext(decoded) for i in needed}
        started = time.perf_counter()
        writer = await timed(lambda: _writer(source, list(first.values()), count))
        for i in range(count):
            image = first.pop(i) if i in first else await anext(decoded)
            yield await timed(partial(writer.add, image))
    yield await timed(writer.finish)
    attributes: dict[str, int | str] = {"media_type": source.output.media_type, "images": count}
    timing.spans.append(Span("encode", started, time.perf_counter(), attributes))
    metrics.response_encode_seconds.observe(timing.encode)


def _needed_first(media_type: str, count: int) -> Sequence[int]:
    """The images that are needed before the first part, by position among ``count`` images."""
    return palette_positions(count) if media_type == GIF else [0]


def _writer(source: ImageSource, first: Sequence[DecodedImage], count: int) -> SequenceWriter:
    """The writer of a response of ``count`` images, with those of ``_needed_first``."""
    output = source.output
    if output.media_type == GIF:
        palette_images = [resized(image.pixels, output.size) for image in first]
        return _AnimationWriter(GifWriter(palette_images, count, output.animation), output.size)
    if output.media_type == APNG:
        return _AnimationWriter(ApngWriter(count, output.animation), output.size)
    return _ArchiveWriter(source)


class _PixelWriter(Protocol):
    def add(self, pixels: Pixels) -> bytes: ...

    def finish(self) -> bytes: ...


class _AnimationWriter:
    def __init__(self, writer: _PixelWriter, size: int | None) -> None:
        self._writer, self._size = writer, size

    def add(self, image: DecodedImage) -> bytes:
        return self._writer.add(resized(image.pixels, self._size))

    def finish(self) -> bytes:
        return self._writer.finish()


class _ArchiveWriter:
    """PNGs, named by their number from 1."""

    def __init__(self, source: ImageSource) -> None:
        self._writer, self._source = ZipWriter(), source
        self._count = 0

    def add(self, image: DecodedImage) -> bytes:
        self._count += 1
        return self._writer.add(f"{self._count:03d}.png", self._source.png_file(image))

    def finish(self) -> bytes:
        return self._writer.finish()
