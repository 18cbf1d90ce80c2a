"""The files of a zip archive, however it was made."""

import os
import posixpath
import zipfile
from pathlib import Path

from training.data.dataset import DataError
from training.data.files import MANIFEST, LeftOut, StoredFile, spellings, system_prefix

ENCRYPTED, UTF8 = 0x1, 0x800  # flags of a member
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
UNREADABLE_METHODS = {9: "Deflate64", 93: "Zstandard", 95: "XZ", 98: "PPMd"}


class Archive:
    """A zip archive that is open for reading.

    Backslashes in names are separators. Names are relative to the folder that holds manifest.csv,
    else to the one folder that everything is in.

    Args:
        path: of the archive.

    Raises:
        DataError: if it is no zip archive, or has several manifests.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise DataError(f"{path}: neither a folder nor a zip archive ({error})") from None
        except (NotImplementedError, ValueError) as error:  # of a version or name that is unknown
            raise DataError(f"{path}: the zip archive cannot be read ({error})") from None
        self._members = {
            _name(info).replace("\\", "/"): info
            for info in self._zip.infolist()
            if not info.filename.endswith(("/", "\\"))
        }
        self._prefix = self._common_folder()

    @property
    def has_manifest(self) -> bool:
        """Whether there is a manifest.csv."""
        return self._prefix + MANIFEST in self._members

    def find(self, name: str) -> StoredFile:
        """A member by its name in a table; if there is none, reading it raises an error."""
        for spelling in spellings(name):
            for full in (self._prefix + spelling, spelling):
                if full in self._members:
                    return self._file(full, self._members[full])
        return StoredFile(name, "", self._absent)

    def files(self, left_out: LeftOut) -> list[StoredFile]:
        """All members but those of the system that made the archive."""
        files = []
        for full, info in self._members.items():
            hidden = system_prefix(full)
            if hidden:
                left_out.add("hidden or system files and folders", hidden)
            else:
                files.append(self._file(full, info))
        return files

    def _common_folder(self) -> str:
        names = [name for name in self._members if not system_prefix(name)]
        manifests = [name for name in names if posixpath.basename(name) == MANIFEST]
        top = [name for name in manifests if name.count("/") == min(map(_depth, manifests))]
        if len(top) > 1:
            raise DataError(f"{self.path}: it holds several manifests: {', '.join(top)}; keep one")
        if top:
            return top[0].removesuffix(MANIFEST)
        folders = {name.partition("/")[0] for name in names if "/" in name}
        return f"{folders.pop()}/" if len(folders) == 1 and all("/" in n for n in names) else ""

    def _file(self, full: str, info: zipfile.ZipInfo) -> StoredFile:
        version = f"{info.file_size} {info.CRC}"
        return StoredFile(full.removeprefix(self._prefix), version, lambda: self._read(info))

    def _read(self, info: zipfile.ZipInfo) -> bytes:
        if info.flag_bits & ENCRYPTED:
            raise DataError("it is protected by a password; make the zip again without one")
        if info.compress_type not in METHODS:
            number = info.compress_type
            method = UNREADABLE_METHODS.get(number, f"method {number}")
            raise DataError(
                f"it is compressed with {method}, which is not supported; unpack the zip and give "
                "its folder, or make it again with Deflate"
            )
        return self._zip.read(info)

    def _absent(self) -> bytes:
        raise DataError("there is no such file in the zip")


def _depth(name: str) -> int:
    return name.count("/")


def _name(info: zipfile.ZipInfo) -> str:
    """The name of a member; what is not UTF-8 is in surrogates, as in a folder."""
    if info.flag_bits & UTF8:
        return info.filename
    return os.fsdecode(info.filename.encode("cp437"))  # as zipfile has decoded it
