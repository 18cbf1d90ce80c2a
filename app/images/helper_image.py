"""Images that are decoded in a process of their own: AVIF, HEIC, and WebP that takes much memory.

Their decoders cannot be told a limit of memory, and a file need not be as its header says:
docs/decisions/0041.
"""

import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from PIL import Image

from app.images.errors import CorruptImageError, ImageTooLargeError

SCRIPT = Path(__file__).with_name("helper_process.py")
SIZES = struct.Struct(">IIII")
MEMORY_FACTOR = 4  # what an image may take there, over what it may take in this process
BASE_MEMORY = 80 * 2**20  # of the helper process itself
BYTES_PER_PIXEL = {"WEBP": 20, "AVIF": 11, "HEIC": 9}  # of an image and its decoder
RESULT_BYTES_PER_PIXEL = 7  # as received, and as Pillow holds it
MAX_SECONDS = 20  # of processor time
TIMEOUT_SECONDS = 25
REDUCTIONS = (8, 4, 2, 1)

_one_at_a_time = threading.Lock()


class HelperImage(Image.Image):
    """An image of mode RGB on white that a helper process decodes when it is loaded.

    Args:
        data: the file.
        format_name: ``WEBP``, ``AVIF`` or ``HEIC``.
        size: width and height that its header declares, upright for AVIF and HEIC.
        max_memory: bytes that an image may take in this process.

    Raises:
        ImageTooLargeError: if so many pixels take more memory than the process may.
    """

    def __init__(
        self, data: bytes, format_name: str, size: tuple[int, int], max_memory: int
    ) -> None:
        super().__init__()
        self._data, self.format, self._declared = data, format_name, size
        self._mode, self._size, self._reduction = "RGB", size, 1
        self._limit = BASE_MEMORY + MEMORY_FACTOR * max_memory
        self._least_memory = max_memory // 8 + 1  # so that it counts as large
        needed = BASE_MEMORY + len(data) + BYTES_PER_PIXEL[format_name] * size[0] * size[1]
        if needed > self._limit:
            raise ImageTooLargeError(
                f"decoding {size[0]} x {size[1]} pixels of {format_name} takes {needed} bytes in a "
                f"process of its own; the limit is {self._limit}; send it smaller, or as JPEG"
            )

    @property
    def memory(self) -> int:
        """Bytes that loading takes in this process."""
        return max(self._least_memory, RESULT_BYTES_PER_PIXEL * self.width * self.height)

    def draft(self, mode: str | None, size: tuple[int, int] | None) -> None:  # noqa: ARG002
        """Reduce the image as far as it stays at least as large as ``size``, as of a JPEG."""
        if size is None or self._im is not None:
            return
        width, height = self._declared
        scale = max(1, min(width // size[0], height // size[1]))
        self._reduction = next(n for n in REDUCTIONS if n <= scale)
        self._size = -(-width // self._reduction), -(-height // self._reduction)

    def load(self) -> Any:
        """Decode the image.

        Raises:
            CorruptImageError: if it cannot be decoded, or is not of the size that it declares.
            ImageTooLargeError: if decoding takes more memory than the process may.
        """
        if self._im is None:
            self.im = self._decoded().im
        return super().load()

    def _decoded(self) -> Image.Image:
        limits = str(self._reduction), str(self._limit), str(MAX_SECONDS)
        command = [sys.executable, "-I", str(SCRIPT), str(self.format), *limits]
        try:
            with _one_at_a_time:
                run = subprocess.run(  # nosec B603  # noqa: S603 -- ourselves, no shell
                    command,
                    input=self._data,
                    capture_output=True,
                    timeout=TIMEOUT_SECONDS,
                    env={"MALLOC_ARENA_MAX": "1"},
                    check=False,
                )
        except subprocess.TimeoutExpired:
            raise CorruptImageError(f"decoding takes more than {TIMEOUT_SECONDS} seconds") from None
        if run.returncode or len(run.stdout) < SIZES.size:
            reason = run.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            if reason.startswith(MemoryError.__name__):
                raise ImageTooLargeError(
                    f"decoding this {self.format} takes more than {self._limit} bytes in a process "
                    "of its own; send it smaller, or as JPEG"
                )
            raise CorruptImageError(
                f"the image is corrupt or truncated ({reason or 'its decoder was stopped'})"
            )
        *declared, width, height = SIZES.unpack_from(run.stdout)
        if (tuple(declared), (width, height)) != (self._declared, self._size):
            raise CorruptImageError(
                f"the image is {declared[0]} x {declared[1]} pixels, not as its header says"
            )
        return Image.frombytes("RGB", self._size, memoryview(run.stdout)[SIZES.size :])
