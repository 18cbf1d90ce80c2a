"""Files as a ZIP archive without compression, one file at a time.

APPNOTE.TXT 6.3.10 (PKWARE 2022), sections 4.3.7, 4.3.12 and 4.3.16. ``zipfile`` writes to a stream
too, but then puts the sizes behind each file, which not every reader of stored files accepts.
"""

import struct

from isal import isal_zlib

LOCAL_HEADER, CENTRAL_HEADER, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
VERSION = 20  # 2.0
EARLIEST_TIME = (0, 0x21)  # 1980-01-01: the same images are the same bytes
MAX_FILES = 65_535


class ZipWriter:
    """The parts of a ZIP archive, in order. Joined, they are the file.

    At most ``MAX_FILES`` files, and less than 4 GiB together.
    """

    def __init__(self) -> None:
        self._directory: list[bytes] = []
        self._offset = 0

    def add(self, name: str, data: bytes) -> bytes:
        """The part of the next file.

        Args:
            name: of the file, ASCII.
            data: content of the file.
        """
        encoded = name.encode("ascii")
        sizes = isal_zlib.crc32(data), len(data), len(data), len(encoded)
        common = struct.pack("<HHHHHIIIHH", VERSION, 0, 0, *EARLIEST_TIME, *sizes, 0)
        entry = struct.pack("<4sH", CENTRAL_HEADER, VERSION) + common
        entry += struct.pack("<HHHII", 0, 0, 0, 0, self._offset) + encoded
        self._directory.append(entry)
        part = b"".join((LOCAL_HEADER, common, encoded, data))
        self._offset += len(part)
        return part

    def finish(self) -> bytes:
        """The part after the last file."""
        directory, count = b"".join(self._directory), len(self._directory)
        fields = 0, 0, count, count, len(directory), self._offset, 0
        return directory + END + struct.pack("<HHHHIIH", *fields)
