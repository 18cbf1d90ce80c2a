"""Zip archives as other programs make them."""

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.training.data.levels import HEADER
from tests.training.sources import plain, png, table

DEFLATE64 = 9
ENCRYPTED = 1


def members(levels: Sequence[int]) -> dict[str, bytes]:
    """A manifest and plain images, by name."""
    rows = [(f"p/{i}.png", "train", level) for i, level in enumerate(levels)]
    images = {f"p/{i}.png": png(plain(level)) for i, level in enumerate(levels)}
    return {"manifest.csv": table(rows, HEADER).encode(), **images}


def write_zip(file: Path, content: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def with_names(file: Path, content: Mapping[bytes, bytes]) -> None:
    """A zip whose names are these bytes, without the flag of UTF-8."""
    placeholders = {f"{i:0{len(name)}d}": name for i, name in enumerate(content)}
    write_zip(file, {key: content[name] for key, name in placeholders.items()})
    data = file.read_bytes()
    for placeholder, name in placeholders.items():
        data = data.replace(placeholder.encode(), name)
    file.write_bytes(data)


def mark(file: Path, names: Sequence[str], method: int | None = None, flags: int = 0) -> None:
    """Change what the headers of members say of their compression and encryption."""
    data = bytearray(file.read_bytes())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        local = [archive.getinfo(name).header_offset for name in names]
        central, places = archive.start_dir, []
        for info in archive.infolist():
            places += [central] if info.filename in names else []
            central += 46 + len(info.filename.encode()) + len(info.extra) + len(info.comment)
    for offset in [at + 6 for at in local] + [at + 8 for at in places]:
        (old,) = struct.unpack_from("<H", data, offset)
        struct.pack_into("<H", data, offset, old | flags)
        if method is not None:
            struct.pack_into("<H", data, offset + 2, method)
    file.write_bytes(data)


def damage(file: Path, name: str) -> None:
    """Overwrite the compressed bytes of a member."""
    with zipfile.ZipFile(file) as archive:
        info = archive.getinfo(name)
    data = bytearray(file.read_bytes())
    start = info.header_offset + 30 + len(info.filename)
    data[start : start + info.compress_size] = b"\xff" * info.compress_size
    file.write_bytes(data)
