"""Images in folders: folders of the splits, of the classes, or of neither."""

import hashlib
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from training.data.dataset import DataError
from training.data.entry import Entry
from training.data.files import MANIFEST, LeftOut, StoredFile, text_of

log = logging.getLogger(__name__)

HELD_OUT_FRACTION = 0.05  # where a source has no test split of its own
SUFFIXES = {  # of the formats that the service reads, and of PPM
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".png",
    ".gif",
    ".bmp",
    ".tif",
    ".tiff",
    ".webp",
    ".avif",
    ".heic",
    ".heif",
    ".hif",
    ".ppm",
    ".pgm",
}
TABLE_SUFFIXES = {".csv", ".tsv"}
TRAIN, TEST, VALIDATION = {"train", "training"}, {"test", "testing"}, {"val", "valid", "validation"}


@dataclass(frozen=True)
class _Image:
    """An image by where it lies.

    Attributes:
        file: its file.
        folders: names of the folders it lies in, within its split.
        is_test: whether it is in the test split.
    """

    file: StoredFile
    folders: list[str]
    is_test: bool


def folder_entries(
    path: Path, files: Sequence[StoredFile], left_out: LeftOut
) -> tuple[list[Entry], bool]:
    """The images of a folder or zip without a manifest, and whether they have classes.

    ``train`` and ``test`` (else ``val`` or ``valid``) are the splits; without them a fixed 5% of
    the images, by the hash of their name, are held out. Two or more folders are the classes; images
    that lie in one folder have no label.

    Args:
        path: the folder or zip, for messages.
        files: of it.
        left_out: is told what is not used, and reports it.

    Raises:
        DataError: if there are no images.
    """
    images = [_image(file) for file in files if _is_image(file, path, left_out)]
    images, has_splits = _splits(images, left_out)
    classes = sorted({image.folders[0] for image in images if image.folders})
    is_labelled = len(classes) > 1 and any(i.folders and not i.is_test for i in images)
    if is_labelled:
        images = _in_classes(images, has_splits, left_out)
    left_out.report()
    if not images:
        raise DataError(
            f"{path}: neither {MANIFEST} nor class folders nor images in it; images have the names "
            f"{', '.join(sorted(SUFFIXES))}"
        )
    _report_classes(images, classes if is_labelled else [])
    images.sort(key=_order)
    names = {name: text_of(name) for name in classes} if is_labelled else {}
    return [_entry(image, names) for image in images], is_labelled


def _is_image(file: StoredFile, path: Path, left_out: LeftOut) -> bool:
    suffix = PurePosixPath(file.name).suffix.lower()
    if suffix in SUFFIXES:
        return True
    if suffix in TABLE_SUFFIXES and len(file.parts) == 1:
        log.warning("%s: %s is not read: a table of labels is called %s", path, file.text, MANIFEST)
    left_out.add("files that are not images by their names", file.name)
    return False


def _image(file: StoredFile) -> _Image:
    draw = int.from_bytes(hashlib.sha256(os.fsencode(file.name)).digest()[:4], "big") / 2**32
    return _Image(file, file.parts[:-1], draw < HELD_OUT_FRACTION)


def _splits(images: list[_Image], left_out: LeftOut) -> tuple[list[_Image], bool]:
    """The images with their folders within those of the splits, and whether there are such.

    Without them, the folders are those within the one folder that has everything, if there is one.
    """
    tops = {image.folders[0] for image in images if image.folders}
    trained, tested, validated = (
        {top for top in tops if top.casefold() in names} for names in (TRAIN, TEST, VALIDATION)
    )
    if trained and (tested or validated):
        chosen = []
        for image in images:
            top = image.folders[0] if image.folders else ""
            if top in trained | (tested or validated):
                chosen.append(replace(image, folders=image.folders[1:], is_test=top not in trained))
            else:
                left_out.add("images outside the folders of the two splits", image.file.name)
        return chosen, True
    if len(tops) == 1 and all(image.folders for image in images):
        return _splits([replace(i, folders=i.folders[1:]) for i in images], left_out)
    return images, False


def _in_classes(images: list[_Image], has_splits: bool, left_out: LeftOut) -> list[_Image]:
    """The images in folders, and those of a split that has no folders: their labels are unknown."""
    with_folders = {image.is_test for image in images if image.folders}
    chosen = []
    for image in images:
        if image.folders or (has_splits and image.is_test not in with_folders):
            chosen.append(image)
        else:
            left_out.add("images outside the class folders", image.file.name)
    return chosen


def _report_classes(images: list[_Image], classes: list[str]) -> None:
    counts = dict.fromkeys(classes, 0)
    for image in images:
        if image.folders and image.folders[0] in counts:
            counts[image.folders[0]] += 1
    shown = ", ".join(f"{text_of(name)} ({count})" for name, count in counts.items())
    log.info("classes: %s", shown or "none; the images have no labels")


def _order(image: _Image) -> tuple[str, str, str]:
    """By class, folder and name."""
    *folders, name = image.file.parts
    return image.folders[0] if image.folders else "", "/".join(folders), name


def _entry(image: _Image, classes: dict[str, str]) -> Entry:
    if image.folders:
        labels = {text: float(image.folders[0] == name) for name, text in classes.items()}
    else:
        labels = {text: float("nan") for text in classes.values()}
    return Entry(
        name=image.file.text,
        version=image.file.version,
        read=image.file.image,
        is_test=image.is_test,
        labels=labels,
        tags={},
    )
