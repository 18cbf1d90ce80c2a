"""Decodes one image in a process of its own, with limits on memory and time: a script.

It imports Pillow and its reader of HEIC alone. Standard input has the file; standard output gets
width and height before the reduction, then those of the result and its pixels, RGB.

Arguments: the format, by how much each side is reduced, bytes of memory, seconds of processor time.
"""

import io
import resource
import struct
import sys
import warnings

from PIL import AvifImagePlugin, Image, ImageOps

SIZES = struct.Struct(">IIII")


def decode(format_name: str, reduction: int) -> None:
    """Decode standard input to standard output."""
    if format_name == "HEIC":
        from pi_heif import register_heif_opener

        register_heif_opener(thumbnails=False)
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    with Image.open(io.BytesIO(sys.stdin.buffer.read())) as image:
        if format_name == "WEBP":
            image._mode = image.rawmode = "RGBA"  # type: ignore[attr-defined]
        image.load()
        size = image.size
        reduced = image.reduce(reduction) if reduction > 1 else image
    if format_name == "AVIF":
        reduced = ImageOps.exif_transpose(reduced)
        size = size if (size[0] < size[1]) == (reduced.width < reduced.height) else size[::-1]
    if "A" in reduced.getbands():
        white = Image.new("RGBA", reduced.size, "white")
        reduced = Image.alpha_composite(white, reduced.convert("RGBA"))
    sys.stdout.buffer.write(SIZES.pack(*size, *reduced.size))
    sys.stdout.buffer.write(reduced.convert("RGB").tobytes())


def main(format_name: str, reduction: str, memory: str, seconds: str) -> None:
    """Set the limits, then decode."""
    resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = None  # the memory is limited
    try:
        decode(format_name, int(reduction))
    except Exception as error:  # decoders raise errors of many types on malformed files
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
