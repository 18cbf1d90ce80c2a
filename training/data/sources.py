"""Sources of images: a manifest, class folders, CelebA, MNIST and FashionMNIST."""

import csv
import hashlib
import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image
from torchvision import datasets

from training.data.dataset import DataError

Source = Literal["auto", "folder", "manifest", "celeba", "mnist", "fashion"]

HELD_OUT_FRACTION = 0.05  # where a source has no test split of its own


@dataclass(frozen=True)
class Entry:
    """One image of a source that has not been decoded yet.

    Attributes:
        name: within the source.
        version: changes when the file does: its size and time of change, or its checksum.
        read: opens it.
        is_test: whether it is in the test split.
        labels: by name; NaN where unknown.
        tags: words, by name.
    """

    name: str
    version: str
    read: Callable[[], Image.Image]
    is_test: bool
    labels: dict[str, float]
    tags: dict[str, str]


def read_entries(path: Path, source: Source) -> tuple[list[Entry], bool]:
    """All images of a source, and whether its labels are classes.

    Raises:
        DataError: if it is not there or not of this kind.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    if source == "auto":
        has_manifest = path.is_file() or (path / "manifest.csv").is_file()
        has_celeba = (path / "celeba" / "list_attr_celeba.txt").is_file()
        source = "manifest" if has_manifest else "celeba" if has_celeba else "folder"
    match source:
        case "manifest":
            return list(_manifest(path)), False
        case "folder":
            return list(_class_folders(path)), True
        case "celeba":
            return list(_celeba(path)), False
        case "mnist":
            return list(_torchvision(datasets.MNIST, path)), True
        case "fashion":
            return list(_torchvision(datasets.FashionMNIST, path)), True


def _manifest(path: Path) -> Iterator[Entry]:
    """A folder or zip with ``manifest.csv``: file, split (train or test), and label columns.

    A column whose every value is a number or empty (unknown) is a label; the rest are tags.
    """
    read, version = _files_of(path)
    rows = _manifest_rows(path, read)
    others = [c for c in rows[0] if c not in ("file", "split")]
    numeric = [c for c in others if c != "identity" and all(_is_number(r[c]) for r in rows)]
    for line, row in enumerate(rows, start=2):
        if row["split"] not in ("train", "test"):
            raise DataError(
                f"{path}: manifest.csv line {line}: split is {row['split']!r}; "
                "it must be train or test"
            )
        yield Entry(
            name=row["file"],
            version=version(row["file"]),
            read=lambda file=row["file"]: Image.open(io.BytesIO(read(file))),  # type: ignore[misc]
            is_test=row["split"] == "test",
            labels={c: float(row[c] or "nan") for c in numeric},
            tags={c: row[c] for c in others if c not in numeric},
        )


def _manifest_rows(path: Path, read: Callable[[str], bytes]) -> list[dict[str, str]]:
    try:
        rows = list(csv.DictReader(io.StringIO(read("manifest.csv").decode())))
    except (KeyError, OSError):
        raise DataError(f"{path}: it holds no manifest.csv") from None
    if not rows or not {"file", "split"} <= rows[0].keys():
        raise DataError(f"{path}: manifest.csv needs rows, and the columns file and split")
    for line, row in enumerate(rows, start=2):
        if None in row or None in row.values():  # as csv marks surplus and missing fields
            raise DataError(f"{path}: manifest.csv line {line} does not have the header's columns")
    return rows


def _files_of(path: Path) -> tuple[Callable[[str], bytes], Callable[[str], str]]:
    """How to read a file of a folder or zip by its name, and how to tell its version."""
    if path.is_dir():
        return lambda name: (path / name).read_bytes(), lambda name: _file_version(path / name)
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        raise DataError(f"{path}: neither a folder nor a zip archive") from None
    versions = {info.filename: f"{info.file_size} {info.CRC}" for info in archive.infolist()}
    return archive.read, lambda name: versions.get(name, "")


def _file_version(path: Path) -> str:
    """Size and time of change, or nothing where there is no such file."""
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_size} {status.st_mtime_ns}"


def _is_number(text: str) -> bool:
    try:
        return text == "" or np.isfinite(float(text))
    except ValueError:
        return False


def _class_folders(path: Path) -> Iterator[Entry]:
    """One folder a class; a fixed 5% of the images, by the hash of their name, are held out."""
    try:
        folder = datasets.ImageFolder(str(path))
    except FileNotFoundError as error:
        raise DataError(f"{path}: neither manifest.csv nor class folders in it ({error})") from None
    for file, label in folder.samples:
        name = str(Path(file).relative_to(path))
        draw = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") / 2**32
        yield Entry(
            name=name,
            version=_file_version(Path(file)),
            read=lambda file=file: Image.open(file),  # type: ignore[misc]
            is_test=draw < HELD_OUT_FRACTION,
            labels=_one_hot(folder.classes, label),
            tags={},
        )


def _celeba(path: Path) -> Iterator[Entry]:
    """Torchvision's CelebA with its 40 attributes; the folder is the parent of ``celeba``."""
    for split, is_test in (("train", False), ("test", True)):
        data = _open(datasets.CelebA, path, split=split, target_type="attr")
        names = [n for n in data.attr_names if n]
        for i, name in enumerate(data.filename):
            file = path / data.base_folder / "img_align_celeba" / name
            yield Entry(
                name=name,
                version=_file_version(file),
                read=lambda file=file: Image.open(file),  # type: ignore[misc]
                is_test=is_test,
                labels=dict(zip(names, data.attr[i].tolist(), strict=True)),
                tags={},
            )


def _torchvision(kind: Any, path: Path) -> Iterator[Entry]:
    """MNIST or FashionMNIST, whose images are read with the source."""
    for is_train in (True, False):
        data = _open(kind, path, train=is_train)
        for i, (pixels, label) in enumerate(zip(data.data, data.targets, strict=True)):
            yield Entry(
                name=f"{'train' if is_train else 'test'}-{i}",
                version=hashlib.sha256(pixels.numpy().tobytes()).hexdigest(),
                read=lambda pixels=pixels: Image.fromarray(pixels.numpy()),  # type: ignore[misc]
                is_test=not is_train,
                labels=_one_hot(data.classes, int(label)),
                tags={},
            )


def _open(kind: Any, path: Path, **options: Any) -> Any:
    try:
        return kind(str(path), download=False, **options)
    except RuntimeError as error:
        raise DataError(
            f"{path}: torchvision does not find {kind.__name__} there: {error}"
        ) from None


def _one_hot(classes: Sequence[str], label: int) -> dict[str, float]:
    return {name: float(i == label) for i, name in enumerate(classes)}
