"""The decoded images on the disk: whole, or made anew."""

import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.training.data.levels import levels_of, manifest, read
from training.data import image_cache


def truncate(folder: Path) -> None:
    os.truncate(folder / "images.npy", 150)


def remove(folder: Path) -> None:
    (folder / "images.npy").unlink()


def flip_one_bit(folder: Path) -> None:
    content = bytearray((folder / "images.npy").read_bytes())
    content[-1] ^= 1
    (folder / "images.npy").write_bytes(content)


def cut_the_index(folder: Path) -> None:
    (folder / "images.json").write_text((folder / "images.json").read_text()[:30])


def empty_the_index(folder: Path) -> None:
    (folder / "images.json").write_text("[]")


DAMAGE = [truncate, remove, flip_one_bit, cut_the_index, empty_the_index]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_cache_is_made_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    data, cache = tmp_path / "data", tmp_path / "cache"
    manifest(data, [10, 20, 30])
    before, _ = read(data, cache)
    content = (cache / "images.npy").read_bytes()
    damage(cache)
    with caplog.at_level(logging.WARNING):
        after, _ = read(data, cache)
    assert "images.npy is damaged and is made anew" in caplog.text
    assert levels_of(after) == [10, 20, 30]
    assert after.sha256 == before.sha256
    assert (cache / "images.npy").read_bytes() == content


def test_a_cache_that_was_copied_is_hashed_once_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, cache = tmp_path / "data", tmp_path / "cache"
    manifest(data, [10, 20, 30])
    read(data, cache)
    os.utime(cache / "images.npy", ns=(1, 1))
    monkeypatch.setattr("training.data.image_cache.write", None)
    read(data, cache)
    status = (cache / "images.npy").stat()
    index = json.loads((cache / "images.json").read_text())
    assert index["state"] == [status.st_size, status.st_mtime_ns]


def test_the_file_is_one_array_whose_last_rows_are_those_left_out(tmp_path: Path) -> None:
    one, two = (np.full((2, 2, 1), level, np.uint8) for level in (10, 20))
    readable, _ = image_cache.write(tmp_path, "f", (3, 2, 2, 1), [one, None, two])
    assert readable == [0, 2]
    found = np.load(tmp_path / "images.npy", mmap_mode="r")
    assert found[:, 0, 0, 0].tolist() == [10, 20, 0]
    expected = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.uint8, (3, 2, 2, 1))
    expected[0], expected[1] = one, two
    expected.flush()
    assert (tmp_path / "images.npy").read_bytes() == (tmp_path / "x.npy").read_bytes()


def test_a_process_that_stops_leaves_the_cache_as_it_was(tmp_path: Path) -> None:
    image = np.zeros((2, 2, 1), np.uint8)
    image_cache.write(tmp_path, "f", (1, 2, 2, 1), [image])
    before = (tmp_path / "images.npy").read_bytes()

    def stopped() -> Iterator[npt.NDArray[np.uint8]]:
        yield image + 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        image_cache.write(tmp_path, "other", (2, 2, 2, 1), stopped())
    assert (tmp_path / "images.npy").read_bytes() == before
    assert image_cache.read(tmp_path, "f") is not None
    assert sorted(f.name for f in tmp_path.iterdir()) == ["images.json", "images.npy"]
