"""Sources of images: a manifest, folders, CelebA, MNIST and FashionMNIST."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from training.data.archive import Archive
from training.data.dataset import DataError
from training.data.entry import Entry
from training.data.files import MANIFEST, LeftOut, file_in, folder_files, system_prefix
from training.data.folders import folder_entries
from training.data.manifest import manifest_entries

Source = Literal["auto", "folder", "manifest", "celeba", "mnist", "fashion"]


def read_entries(path: Path, source: Source) -> tuple[list[Entry], bool]:
    """All images of a source, and whether its labels are classes.

    Logs which columns or folders are labels, and what was left out.

    Raises:
        DataError: if it is not there or not of this kind.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    match source:
        case "auto" | "manifest" | "folder":
            return _own_images(path, source)
        case "celeba":
            return list(_celeba(path)), False
        case "mnist":
            return list(_torchvision("MNIST", path)), True
        case "fashion":
            return list(_torchvision("FashionMNIST", path)), True


def _own_images(
    path: Path, source: Literal["auto", "manifest", "folder"]
) -> tuple[list[Entry], bool]:
    """The images of a manifest or of folders, or CelebA where ``auto`` finds its attributes."""
    archive = None if path.is_dir() else Archive(path)
    if archive is None and source != "folder":
        path = _manifest_folder(path)
    has_manifest = archive.has_manifest if archive else (path / MANIFEST).is_file()
    if source == "manifest" or (source == "auto" and has_manifest):
        return manifest_entries(path, archive), False
    if source == "auto" and (path / "celeba" / "list_attr_celeba.txt").is_file():
        return list(_celeba(path)), False
    left_out = LeftOut()
    files = archive.files(left_out) if archive else folder_files(path, left_out)
    return folder_entries(path, files, left_out)


def _manifest_folder(path: Path) -> Path:
    """The folder of the manifest: ``path``, or the one folder in it, as zips unpack."""
    if (path / MANIFEST).is_file():
        return path
    inside = [entry for entry in os.scandir(path) if not system_prefix(entry.name)]
    only = path / inside[0].name if len(inside) == 1 else path
    return only if (only / MANIFEST).is_file() else path


def _celeba(path: Path) -> Iterator[Entry]:
    """Torchvision's CelebA with its 40 attributes; the folder is the parent of ``celeba``."""
    for split, is_test in (("train", False), ("test", True)):
        data = _open("CelebA", path, split=split, target_type="attr")
        names = [n for n in data.attr_names if n]
        for i, name in enumerate(data.filename):
            file = file_in(path / data.base_folder / "img_align_celeba", name)
            yield Entry(
                name=name,
                version=file.version,
                read=file.image,
                is_test=is_test,
                labels=dict(zip(names, data.attr[i].tolist(), strict=True)),
                tags={},
            )


def _torchvision(kind: str, path: Path) -> Iterator[Entry]:
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


def _open(kind: str, path: Path, **options: Any) -> Any:
    from torchvision import datasets  # takes seconds

    try:
        return getattr(datasets, kind)(str(path), download=False, **options)
    except RuntimeError as error:
        raise DataError(f"{path}: torchvision does not find {kind} there: {error}") from None


def _one_hot(classes: Sequence[str], label: int) -> dict[str, float]:
    return {name: float(i == label) for i, name in enumerate(classes)}
