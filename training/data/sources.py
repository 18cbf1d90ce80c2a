"""Pictures for training: every source becomes one uint8 array on the disk, labels beside it.

Decoding happens once. Epochs then read rows of a memory-mapped ``.npy``, which is as fast on the
thousandth epoch as on the second, holds data sets larger than memory, and makes the order of
pictures a matter of seeds alone.
"""

import csv
import hashlib
import io
import json
import logging
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps
from torchvision import datasets

log = logging.getLogger(__name__)

Source = Literal["auto", "folder", "manifest", "celeba", "mnist", "fashion"]
Labels = dict[str, npt.NDArray[np.float32]]

UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,
    KeyError,
    zipfile.BadZipFile,
    Image.DecompressionBombError,
)
MAX_CORRUPT_SHARE = 0.01
HELD_OUT_SHARE = 0.05  # where a source has no test split of its own


class DataError(Exception):
    """Training data that cannot be used; the message says what is wrong and what would be right."""


@dataclass(frozen=True)
class Entry:
    """One picture of a source that has not been decoded yet."""

    name: str
    read: Callable[[], Image.Image]
    test: bool
    labels: dict[str, float]
    tags: dict[str, str]


@dataclass(frozen=True)
class Dataset:
    """Pictures of one split with their labels.

    Attributes:
        pictures: uint8 ``(N, S, S, C)``, memory-mapped.
        rows: which rows of ``pictures`` belong to this split, int64 ``(M,)``.
        labels: one float32 ``(M,)`` a label, NaN where unknown.
        tags: words of the manifest that are no numbers, one list of M a column.
        exclusive: whether exactly one label is 1 in every row (classes).
        name: of the data.
        sha256: of all pictures, both splits.
    """

    pictures: npt.NDArray[np.uint8]
    rows: npt.NDArray[np.int64]
    labels: Labels
    tags: dict[str, list[str]]
    exclusive: bool
    name: str
    sha256: str

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, index: Sequence[int] | npt.NDArray[np.int64]) -> torch.Tensor:
        """Pictures of this split by index, uint8 ``(B, S, S, C)``."""
        return torch.from_numpy(self.pictures[self.rows[np.asarray(index)]])

    def rows_at(self, index: Sequence[int] | npt.NDArray[np.int64]) -> "Dataset":
        """The pictures at these places, in this order."""
        places = np.asarray(index, dtype=np.int64)
        return replace(
            self,
            rows=self.rows[places],
            labels={k: v[places] for k, v in self.labels.items()},
            tags={k: [v[i] for i in places] for k, v in self.tags.items()},
        )

    def head(self, count: int) -> "Dataset":
        """The first ``count`` pictures."""
        return self.rows_at(np.arange(min(count, len(self))))


def prepare(
    path: Path, source: Source, size: int, channels: int, cache: Path
) -> tuple[Dataset, Dataset]:
    """Decode a source once and open it.

    Args:
        path: the folder or ``.zip``.
        source: what kind it is; ``auto`` looks for ``manifest.csv`` and for CelebA's list of
            attributes, else takes class folders.
        size: pixels a side; pictures are cropped to a centred square and resized.
        channels: 1 or 3.
        cache: folder for the decoded pictures; reused when the same call is made again.

    Returns:
        the train and the test split.

    Raises:
        DataError: if nothing is found, labels are not readable, or more than 1% of the pictures are
            corrupt.
    """
    entries, exclusive = _entries(path, source)
    if not entries:
        raise DataError(f"{path}: no pictures found")
    wanted = _fingerprint(entries, path, size, channels)
    store, about = cache / "pictures.npy", cache / "pictures.json"
    if not about.is_file() or json.loads(about.read_text())["fingerprint"] != wanted:
        cache.mkdir(parents=True, exist_ok=True)
        about.unlink(missing_ok=True)
        kept = _decode(entries, size, channels, store)
        facts = {"fingerprint": wanted, "kept": kept, "sha256": _file_hash(store)}
        about.write_text(json.dumps(facts))
    facts = json.loads(about.read_text())
    entries = [entries[i] for i in facts["kept"]]
    pictures = np.load(store, mmap_mode="r")
    name = path.resolve().name

    def split(test: bool) -> Dataset:
        rows = np.array([i for i, e in enumerate(entries) if e.test is test], dtype=np.int64)
        chosen = [entries[i] for i in rows]
        labels = {
            k: np.array([e.labels[k] for e in chosen], dtype=np.float32) for k in entries[0].labels
        }
        tags = {k: [e.tags[k] for e in chosen] for k in entries[0].tags}
        return Dataset(pictures, rows, labels, tags, exclusive, name, facts["sha256"])

    train, test = split(test=False), split(test=True)
    if not len(train):
        raise DataError(f"{path}: no picture is in the train split")
    return train, test


def _entries(path: Path, source: Source) -> tuple[list[Entry], bool]:
    """All pictures of a source, and whether its labels are classes."""
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
    read = _reader(path)
    try:
        table = list(csv.DictReader(io.StringIO(read("manifest.csv").decode())))
    except (KeyError, OSError):
        raise DataError(f"{path}: it holds no manifest.csv") from None
    if not table or not {"file", "split"} <= table[0].keys():
        raise DataError(f"{path}: manifest.csv needs rows, and the columns file and split")
    for line, row in enumerate(table, start=2):
        if None in row or None in row.values():  # as csv marks surplus and missing fields
            raise DataError(f"{path}: manifest.csv line {line} does not have the header's columns")
    others = [c for c in table[0] if c not in ("file", "split")]
    numeric = [c for c in others if c != "identity" and all(_is_number(r[c]) for r in table)]
    for line, row in enumerate(table, start=2):
        if row["split"] not in ("train", "test"):
            raise DataError(f"{path}: manifest.csv line {line}: split is {row['split']!r}")
        yield Entry(
            name=row["file"],
            read=lambda file=row["file"]: Image.open(io.BytesIO(read(file))),  # type: ignore[misc]
            test=row["split"] == "test",
            labels={c: float(row[c] or "nan") for c in numeric},
            tags={c: row[c] for c in others if c not in numeric},
        )


def _reader(path: Path) -> Callable[[str], bytes]:
    if path.is_dir():
        return lambda name: (path / name).read_bytes()
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        raise DataError(f"{path}: neither a folder nor a zip archive") from None
    return archive.read


def _is_number(text: str) -> bool:
    try:
        return text == "" or np.isfinite(float(text))
    except ValueError:
        return False


def _class_folders(path: Path) -> Iterator[Entry]:
    """One folder a class; a fixed 5% of the pictures, by the hash of their name, are held out."""
    try:
        folder = datasets.ImageFolder(str(path))
    except FileNotFoundError as error:
        raise DataError(f"{path}: neither manifest.csv nor class folders in it ({error})") from None
    for file, label in folder.samples:
        name = str(Path(file).relative_to(path))
        draw = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") / 2**32
        yield Entry(
            name=name,
            read=lambda file=file: Image.open(file),  # type: ignore[misc]
            test=draw < HELD_OUT_SHARE,
            labels=_one_hot(folder.classes, label),
            tags={},
        )


def _celeba(path: Path) -> Iterator[Entry]:
    """Torchvision's CelebA with its 40 attributes; the folder is the parent of ``celeba``."""
    for split, test in (("train", False), ("test", True)):
        data = _open(datasets.CelebA, path, split=split, target_type="attr")
        names = [n for n in data.attr_names if n]
        for i, file in enumerate(data.filename):
            picture = path / data.base_folder / "img_align_celeba" / file
            yield Entry(
                name=file,
                read=lambda picture=picture: Image.open(picture),  # type: ignore[misc]
                test=test,
                labels=dict(zip(names, data.attr[i].tolist(), strict=True)),
                tags={},
            )


def _torchvision(kind: Any, path: Path) -> Iterator[Entry]:
    for train in (True, False):
        data = _open(kind, path, train=train)
        for i, (pixels, label) in enumerate(zip(data.data, data.targets, strict=True)):
            yield Entry(
                name=f"{'train' if train else 'test'}-{i}",
                read=lambda pixels=pixels: Image.fromarray(pixels.numpy()),  # type: ignore[misc]
                test=not train,
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


def _decode(entries: list[Entry], size: int, channels: int, store: Path) -> list[int]:
    """Write the readable pictures to ``store``; answer which entries they are."""
    mode = "L" if channels == 1 else "RGB"

    def pixels(entry: Entry) -> npt.NDArray[np.uint8] | None:
        try:
            with entry.read() as picture:
                return square(picture, size, mode)
        except UNREADABLE as error:
            log.warning("skipped %s: %s", entry.name, error)
            return None

    shape = (len(entries), size, size, channels)
    target = np.lib.format.open_memmap(store, "w+", np.uint8, shape)
    kept: list[int] = []
    with ThreadPoolExecutor() as pool:
        for i, picture in enumerate(pool.map(pixels, entries)):
            if picture is not None:
                target[len(kept)] = picture.reshape(shape[1:])
                kept.append(i)
    target.flush()
    corrupt = len(entries) - len(kept)
    if corrupt > MAX_CORRUPT_SHARE * len(entries):
        raise DataError(f"{corrupt} of {len(entries)} pictures are corrupt (named above)")
    return kept


def square(picture: Image.Image, size: int, mode: str) -> npt.NDArray[np.uint8]:
    """The centred square of a picture at ``size`` x ``size``, alpha on white, EXIF applied."""
    picture = ImageOps.exif_transpose(picture)
    if "A" in picture.getbands() or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    picture = picture.convert(mode)
    if picture.size != (size, size):
        picture = ImageOps.fit(picture, (size, size), Image.Resampling.LANCZOS)
    return np.asarray(picture, dtype=np.uint8)


def _fingerprint(entries: list[Entry], path: Path, size: int, channels: int) -> str:
    digest = hashlib.sha256(f"{path.resolve()} {size} {channels}".encode())
    digest.update(str(path.stat().st_mtime_ns).encode() if path.is_file() else b"")
    for entry in entries:
        digest.update(f"{entry.name} {entry.test} {entry.labels} {entry.tags}".encode())
    return digest.hexdigest()


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
