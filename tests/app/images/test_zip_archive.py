import io
import zipfile

import pytest

from app.images.zip_archive import ZipWriter


@pytest.mark.parametrize("count", [0, 1, 3])
def test_python_reads_back_every_file(count: int) -> None:
    files = {f"{i:03d}.png": bytes([i]) * 1000 * i for i in range(count)}
    writer = ZipWriter()
    data = b"".join([*(writer.add(name, file) for name, file in files.items()), writer.finish()])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == files
        for entry in archive.infolist():
            assert entry.compress_type == zipfile.ZIP_STORED
            assert entry.flag_bits == 0  # sizes stand in front of the files
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)


def test_the_same_files_are_the_same_bytes() -> None:
    first, second = ZipWriter(), ZipWriter()
    assert first.add("a", b"b") + first.finish() == second.add("a", b"b") + second.finish()
