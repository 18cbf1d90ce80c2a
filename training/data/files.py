"""The files of a folder, and what is left out of it: files of the system, links to itself."""

import io
import logging
import os
import stat
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pi_heif import register_heif_opener
from PIL import Image

log = logging.getLogger(__name__)

register_heif_opener(thumbnails=False)  # beside what Pillow reads

MANIFEST = "manifest.csv"
SYSTEM_NAMES = {  # beside names that begin with a dot; in lower case
    "__macosx",
    "@eadir",
    "#recycle",
    "@recycle",
    "#snapshot",
    "$recycle.bin",
    "system volume information",
    "lost+found",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
}
NAME_ENCODINGS = ("cp1252", "cp437", "cp850", "cp932", "gbk", "euc_kr", "cp866")  # beside UTF-8
MAX_EXAMPLES = 3  # names shown of what was left out


@dataclass(frozen=True)
class StoredFile:
    """A file of a folder or zip.

    Attributes:
        name: relative to the folder, with forward slashes; bytes that are not UTF-8 are surrogates.
        version: changes when the file does; empty if the file is not there.
        read: its bytes; raises any error if they cannot be read.
    """

    name: str
    version: str
    read: Callable[[], bytes]

    @property
    def parts(self) -> list[str]:
        """The names of its folders, and its own."""
        return self.name.split("/")

    @property
    def text(self) -> str:
        """The name as text that can be printed and stored."""
        return text_of(self.name)

    def image(self) -> Image.Image:
        """The image, not decoded yet; raises any error if it cannot be read."""
        return Image.open(io.BytesIO(self.read()))


@dataclass
class LeftOut:
    """The files and folders that are not used, by reason."""

    names: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, name: str) -> None:
        """Count a file or folder."""
        self.names.setdefault(reason, []).append(text_of(name))

    def report(self) -> None:
        """Log the counts, with a few names each."""
        for reason, names in self.names.items():
            names = sorted(set(names))
            examples = ", ".join(names[:MAX_EXAMPLES] + ["..."] * (len(names) > MAX_EXAMPLES))
            log.info("left out %s: %d (%s)", reason, len(names), examples)


def text_of(name: str) -> str:
    r"""A file name as text; a byte that is not UTF-8 becomes ``\xHH``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def system_prefix(name: str) -> str | None:
    """The hidden or system file or folder that a name lies in, None if in none."""
    parts = name.split("/")
    for i, part in enumerate(parts, start=1):
        if part.startswith(".") or part.casefold() in SYSTEM_NAMES:
            return "/".join(parts[:i])
    return None


def spellings(name: str) -> Iterator[str]:
    """A file name of a table as the same file may be called in a folder or zip.

    Tables and archives come from systems that differ in the separator of folders, in the Unicode
    form of letters with accents, and in the encoding.
    """
    slashed = name.replace("\\", "/").removeprefix("./")
    yield from (name, slashed)
    for form in ("NFC", "NFD"):
        yield unicodedata.normalize(form, slashed)
    for encoding in NAME_ENCODINGS:
        try:
            yield os.fsdecode(slashed.encode(encoding))
        except UnicodeEncodeError:
            continue


def file_in(folder: Path, name: str) -> StoredFile:
    """A file of a folder by its name in a table; it need not exist."""
    found = next((s for s in spellings(name) if _is_file(folder / s)), name)
    path = folder / found
    return StoredFile(name, version(path), lambda: _read_file(path))


def folder_files(folder: Path, left_out: LeftOut) -> list[StoredFile]:
    """All files of a folder and the folders in it.

    A link is followed, once: what was listed under its own name, or by another link, is left out.

    Raises:
        OSError: if a folder cannot be listed.
    """
    files: list[StoredFile] = []
    seen: set[tuple[int, int]] = set()
    folders = [(folder, "")]
    links: list[tuple[Path, str]] = []
    linked_files: list[tuple[Path, str]] = []
    while folders or links:
        here, prefix = (folders or links).pop()  # a folder before the links to it
        if not _is_new(here, seen):
            left_out.add("links to what is listed already", prefix[:-1])
            continue
        for entry in os.scandir(here):
            name, path = prefix + entry.name, here / entry.name
            if system_prefix(entry.name):
                left_out.add("hidden or system files and folders", name)
            elif _is_folder(entry):
                (links if entry.is_symlink() else folders).append((path, name + "/"))
            elif entry.is_symlink():
                linked_files.append((path, name))
            else:
                files += _regular(path, name, seen, left_out)
    for path, name in sorted(linked_files):
        if _is_new(path, seen):
            files += _regular(path, name, seen, left_out)
        else:
            left_out.add("links to what is listed already", name)
    return files


def _regular(
    path: Path, name: str, seen: set[tuple[int, int]], left_out: LeftOut
) -> Iterator[StoredFile]:
    """The file, unless it is a pipe, socket or device; a broken link is a file of no version."""
    try:
        status = path.stat()
    except OSError:
        yield StoredFile(name, "", path.read_bytes)
        return
    if not stat.S_ISREG(status.st_mode):
        left_out.add("pipes, sockets and devices", name)
        return
    seen.add((status.st_dev, status.st_ino))
    yield StoredFile(name, _version_of(status), path.read_bytes)


def _is_new(path: Path, seen: set[tuple[int, int]]) -> bool:
    """Whether a file or folder has not been seen under any name; notes that it has."""
    try:
        status = path.stat()
    except OSError:  # a broken link
        return True
    key = status.st_dev, status.st_ino
    is_new = key not in seen
    seen.add(key)
    return is_new


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _read_file(path: Path) -> bytes:
    if path.exists() and not path.is_file():
        raise OSError("it is no file but a folder, pipe or device")
    return path.read_bytes()


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or with a NUL
        return False


def version(path: Path) -> str:
    """Size and time of change of a file, or nothing where there is none."""
    try:
        return _version_of(path.stat())
    except (OSError, ValueError):
        return ""


def _version_of(status: os.stat_result) -> str:
    return f"{status.st_size} {status.st_mtime_ns}"
