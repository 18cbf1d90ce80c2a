"""Images that a ``manifest.csv`` lists, in a folder or zip."""

from collections.abc import Callable
from pathlib import Path

from training.data.archive import Archive
from training.data.columns import classify
from training.data.dataset import DataError
from training.data.entry import Entry
from training.data.files import MANIFEST, LeftOut, StoredFile, file_in, text_of
from training.data.table import Table, parse

SPLITS = ("train", "test")


def manifest_entries(path: Path, archive: Archive | None) -> list[Entry]:
    """The images of a manifest: its columns are ``file``, ``split``, and labels and tags.

    Args:
        path: the folder or zip.
        archive: the opened zip, None for a folder.

    Raises:
        DataError: if there is no manifest or it cannot be used.
    """
    where = f"{path}: {MANIFEST}"
    table = parse(_manifest_bytes(path, archive), where)
    _check_splits(table, where)
    columns = classify(table, where)
    find: Callable[[str], StoredFile] = archive.find if archive else lambda n: file_in(path, n)
    files = [find(row["file"]) for row in table.rows]
    if archive:
        _report_unlisted(archive, files)
    return [
        Entry(
            name=text_of(row["file"]),
            version=file.version,
            read=file.image,
            is_test=row["split"].casefold() == "test",
            labels={name: values[i] for name, values in columns.labels.items()},
            tags={name: words[i] for name, words in columns.tags.items()},
        )
        for i, (row, file) in enumerate(zip(table.rows, files, strict=True))
    ]


def _manifest_bytes(path: Path, archive: Archive | None) -> bytes:
    if not (archive.has_manifest if archive else (path / MANIFEST).is_file()):
        raise DataError(f"{path}: it holds no {MANIFEST}")
    manifest = archive.find(MANIFEST) if archive else file_in(path, MANIFEST)
    try:
        return manifest.read()
    except Exception as error:  # zipfile's decoders raise many kinds on damaged members
        raise DataError(f"{path}: {MANIFEST} cannot be read: {error}") from None


def _check_splits(table: Table, where: str) -> None:
    """Refuse a split that is neither train nor test, and a file that is in both."""
    first: dict[str, tuple[str, int]] = {}
    for row, line in zip(table.rows, table.lines, strict=True):
        split = row["split"].casefold()
        if split not in SPLITS:
            raise DataError(
                f"{where} line {line}: split is {row['split']!r}; it must be train or test"
            )
        other, other_line = first.setdefault(row["file"], (split, line))
        if other != split:
            raise DataError(
                f"{where} lines {other_line} and {line}: {text_of(row['file'])} is in both splits; "
                "an image must not be trained on and tested on"
            )


def _report_unlisted(archive: Archive, files: list[StoredFile]) -> None:
    """Log what a zip holds beside the images of its manifest."""
    left_out = LeftOut()
    listed = {file.name for file in files}
    for file in archive.files(left_out):
        if file.name not in listed and file.name != MANIFEST:
            left_out.add(f"files that {MANIFEST} does not list", file.name)
    left_out.report()
