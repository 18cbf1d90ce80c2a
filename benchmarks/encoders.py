"""Encoding alone, on real decodes: PNG by every encoder of Python that could be had; animations.

Run by ``limits`` in an environment of its own: ``python -m benchmarks.encoders IMAGES.npy``.
"""

import io
import json
import statistics
import struct
import sys
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from app.images import png
from app.images.animation import Animation
from app.images.apng import ApngWriter
from app.images.gif import GifWriter, palette_positions
from benchmarks.systems import OURS

REPEATS = 5
FRAMES = 30  # of an animation

Pixels = npt.NDArray[np.uint8]
Encode = Callable[[Pixels], bytes]
Animate = Callable[[list[Pixels]], bytes]


def png_encoders() -> dict[str, Encode]:
    """The encoders by name: those of Python that could be had."""
    found: dict[str, Encode] = {OURS: png.encode}
    found |= {f"Pillow, level {level}": _pillow(level) for level in (6, 1)}
    return found | _filtered() | _others()


def _pillow(level: int) -> Encode:
    def encode(pixels: Pixels) -> bytes:
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "PNG", compress_level=level)
        return stream.getvalue()

    return encode


def _filtered() -> dict[str, Encode]:
    """The filter of ``app/images/png.py`` before other deflates."""
    deflates: dict[str, Callable[[bytes], bytes]] = {
        "zlib, level 1": partial(zlib.compress, level=1)
    }
    with suppress(ImportError):
        from isal import isal_zlib

        for level in (0, 1, 3):
            deflates[f"isal, level {level}"] = partial(isal_zlib.compress, level=level)
    with suppress(ImportError):
        from zlib_ng import zlib_ng

        for level in (1, 2):
            deflates[f"zlib-ng, level {level}"] = partial(zlib_ng.compress, level=level)
    return {f"Up filter, {name}": _with(deflate) for name, deflate in deflates.items()}


def _with(deflate: Callable[[bytes], bytes]) -> Encode:
    def encode(pixels: Pixels) -> bytes:
        height, width, channels = pixels.shape
        rows = pixels.reshape(height, width * channels)
        filtered = np.empty((height, 1 + width * channels), np.uint8)
        filtered[:, 0] = png.UP
        filtered[0, 1:] = rows[0]
        np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        parts = ((b"IHDR", header), (b"IDAT", deflate(filtered.tobytes())), (b"IEND", b""))
        return png.SIGNATURE + b"".join(_chunk(kind, data) for kind, data in parts)

    return encode


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def _others() -> dict[str, Encode]:
    """Encoders with a filter and a deflate of their own."""
    found: dict[str, Encode] = {}
    with suppress(ImportError):
        import cv2

        cv2.setNumThreads(1)
        found |= {f"OpenCV, level {level}": _opencv(cv2, level) for level in (1, 3)}
    with suppress(ImportError):
        import fpng

        found["fpng"] = fpng.from_ndarray
    return found


def _opencv(cv2: Any, level: int) -> Encode:
    options = [cv2.IMWRITE_PNG_COMPRESSION, level]

    def encode(pixels: Pixels) -> bytes:
        return bytes(cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)[1])

    return encode


def png_alone(file: Path) -> dict[str, dict[str, float]]:
    """Milliseconds an image on one thread and bytes an image, of each encoder.

    They take turns, so that none is measured on a machine that is colder or busier.
    """
    images, encoders = np.load(file), png_encoders()
    sizes = {name: checked_size(encode, images) for name, encode in encoders.items()}
    times: dict[str, list[float]] = {name: [] for name in encoders}
    for _ in range(REPEATS):
        for name, encode in encoders.items():
            started = time.perf_counter()
            for image in images:
                encode(image)
            times[name].append(1000 * (time.perf_counter() - started) / len(images))
    return {n: {"ms": statistics.median(times[n]), "bytes": sizes[n]} for n in encoders}


def checked_size(encode: Encode, images: Pixels) -> float:
    """Mean bytes of the files of an encoder, once it has been seen to lose nothing."""
    files = [encode(image) for image in images]
    for data, image in zip(files, images, strict=True):
        if not np.array_equal(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")), image):
            raise ValueError("an encoder loses something")
    return statistics.mean(map(len, files))


def animations_alone(file: Path) -> dict[str, dict[str, float]]:
    """An animation of ``FRAMES`` images by our writers and Pillow's: CPU time on one thread.

    ``ratio`` is the time of Pillow's writer for the same format, divided by this one's.
    """
    images = np.load(file)
    frames = [images[i % len(images)] for i in range(FRAMES)]
    writers: dict[str, Animate] = {
        "APNG": _our_apng,
        "APNG, Pillow": _pillow_animation("PNG"),
        "GIF": _our_gif,
        "GIF, Pillow": _pillow_animation("GIF"),
    }
    sizes = {name: len(animate(frames)) for name, animate in writers.items()}
    times: dict[str, list[float]] = {name: [] for name in writers}
    for _ in range(REPEATS):
        for name, animate in writers.items():
            started = time.process_time()
            animate(frames)
            times[name].append(1000 * (time.process_time() - started))
    ms = {name: statistics.median(times[name]) for name in writers}
    return {
        name: {
            "ms": ms[name],
            "bytes": sizes[name],
            "ratio": ms[f"{name.partition(',')[0]}, Pillow"] / ms[name],
        }
        for name in writers
    }


def _our_apng(frames: list[Pixels]) -> bytes:
    writer = ApngWriter(len(frames), Animation())
    return b"".join([*map(writer.add, frames), writer.finish()])


def _our_gif(frames: list[Pixels]) -> bytes:
    palette_frames = [frames[i] for i in palette_positions(len(frames))]
    writer = GifWriter(palette_frames, len(frames), Animation())
    return b"".join([*map(writer.add, frames), writer.finish()])


def _pillow_animation(file_format: str) -> Animate:
    def animate(frames: list[Pixels]) -> bytes:
        first, *others = map(Image.fromarray, frames)
        stream = io.BytesIO()
        first.save(stream, file_format, save_all=True, append_images=others, duration=100, loop=0)
        return stream.getvalue()

    return animate


if __name__ == "__main__":
    images_file = Path(sys.argv[1])
    print(json.dumps({"png": png_alone(images_file), "animation": animations_alone(images_file)}))
