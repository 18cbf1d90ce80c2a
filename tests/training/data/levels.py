"""Data sets of plain images, each of a grey level of its own."""

from collections.abc import Sequence
from pathlib import Path

from tests.training.sources import plain, table
from training.data.dataset import Dataset
from training.data.decoding import prepare

HEADER = ["file", "split", "bright"]
UNSUPPORTED = (  # a DDS with a pixel format at which Pillow raises NotImplementedError
    b"DDS |\0\0\0\x07\x10\x20\0" + bytes(60) + b" \0\0\0\0\0\x20\0" + bytes(44)
)


def manifest(folder: Path, levels: Sequence[int], test: int = 0) -> list[list[object]]:
    """Plain images whose only label is their own level; returns the rows of the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[list[object]] = []
    for i, level in enumerate(levels):
        plain(level).save(folder / f"{i}.png")
        rows.append([f"{i}.png", "test" if i < test else "train", level])
    (folder / "manifest.csv").write_text(table(rows, HEADER))
    return rows


def read(path: Path, cache: Path, size: int = 8) -> tuple[Dataset, Dataset]:
    return prepare(path, "auto", size, 3, cache)


def levels_of(data: Dataset) -> list[int]:
    found: list[int] = data.batch(range(len(data)))[:, 0, 0, 0].tolist()
    return found
