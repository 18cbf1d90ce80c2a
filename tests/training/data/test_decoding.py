import logging
import os
import zipfile
from pathlib import Path

import pytest

from tests.training.data.levels import HEADER, levels_of, manifest, read
from tests.training.sources import plain, png, table
from training.data.dataset import DataError
from training.data.decoding import prepare


def spoil(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:40])


def test_grey_is_one_channel(tmp_path: Path) -> None:
    manifest(tmp_path / "data", [10, 200])
    train, _ = prepare(tmp_path / "data", "auto", 8, 1, tmp_path / "cache")
    assert train.batch([0, 1]).shape == (2, 8, 8, 1)
    assert levels_of(train) == [10, 200]


# Corrupt images


def test_a_corrupt_image_is_named_and_skipped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "data"
    manifest(folder, range(150), test=2)
    spoil(folder / "77.png")
    with caplog.at_level(logging.WARNING):
        train, test = read(folder, tmp_path / "cache")
    skipped, limit = (r.getMessage() for r in caplog.records if r.levelno == logging.WARNING)
    assert skipped == "skipped 77.png: it is in no known image format"
    assert limit == "1 of 150 images are corrupt; at most 1% may be"
    assert levels_of(test) == [0, 1]
    assert levels_of(train) == [*range(2, 77), *range(78, 150)]
    assert train.labels["bright"].tolist() == levels_of(train)


def test_an_image_that_is_not_there_is_named_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    manifest(tmp_path / "data", range(120))
    (tmp_path / "data" / "5.png").unlink()
    train, _ = read(tmp_path / "data", tmp_path / "cache")
    assert len(train) == 119
    assert "skipped 5.png" in caplog.text


def test_many_corrupt_images_are_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    manifest(folder, range(150))
    for i in (3, 50, 149):
        spoil(folder / f"{i}.png")
    for _ in range(2):  # the second call does not take the first one's leavings for a cache
        with pytest.raises(DataError, match="3 of 150 images are corrupt; at most 1% may be"):
            read(folder, tmp_path / "cache")


# The cache


def refuse(*_: object) -> None:
    raise AssertionError("an image was decoded again")


def test_a_second_call_does_not_decode_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, cache = tmp_path / "data", tmp_path / "cache"
    manifest(folder, [10, 20, 30], test=1)
    first, _ = read(folder, cache)
    written = (cache / "images.npy").stat().st_mtime_ns
    monkeypatch.setattr("training.data.decoding.to_square", refuse)
    second, _ = read(folder, cache)
    assert levels_of(second) == [20, 30]
    assert second.sha256 == first.sha256
    assert (cache / "images.npy").stat().st_mtime_ns == written


def test_skipped_images_stay_skipped_in_the_cache(tmp_path: Path) -> None:
    folder, cache = tmp_path / "data", tmp_path / "cache"
    manifest(folder, range(120))
    spoil(folder / "0.png")
    for _ in range(2):
        train, _ = read(folder, cache)
        assert train.labels["bright"].tolist() == levels_of(train) == list(range(1, 120))


@pytest.mark.parametrize("change", ["split", "label", "row"])
def test_another_manifest_is_read_anew(tmp_path: Path, change: str) -> None:
    folder, cache = tmp_path / "data", tmp_path / "cache"
    rows = manifest(folder, [10, 20, 30], test=1)
    before, _ = read(folder, cache)
    plain(99).save(folder / "1.png")
    match change:
        case "split":
            rows[2][1] = "test"
        case "label":
            rows[2][2] = 31
        case "row":
            del rows[2]
    (folder / "manifest.csv").write_text(table(rows, HEADER))
    after, _ = read(folder, cache)
    assert levels_of(after)[0] == 99
    assert after.sha256 != before.sha256


@pytest.mark.parametrize("form", ["folder", "zip", "classes"])
def test_an_image_that_was_replaced_is_decoded_anew(tmp_path: Path, form: str) -> None:
    """Another image of the same name, in a file of the same size."""
    data, cache = tmp_path / "data", tmp_path / "cache"
    found = []
    for level in (10, 20):
        if form == "classes":
            for folder in ("a", "b"):
                (data / folder).mkdir(parents=True, exist_ok=True)
                plain(level).save(data / folder / "0.png")
        else:
            manifest(data, [level])
        for file in data.rglob("*.png"):
            os.utime(file, ns=(10**18 + level, 10**18 + level))
        path = zipped(data, tmp_path / "data.zip") if form == "zip" else data
        train, _ = read(path, cache)
        found.append(levels_of(train)[0])
    assert found == [10, 20]


def zipped(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w") as file:
        for member in folder.iterdir():
            file.write(member, member.name)
    os.utime(archive, ns=(1, 1))
    return archive


@pytest.mark.parametrize(("size", "channels"), [(16, 3), (8, 1)])
def test_another_shape_is_read_anew(tmp_path: Path, size: int, channels: int) -> None:
    manifest(tmp_path / "data", [10, 20])
    read(tmp_path / "data", tmp_path / "cache")
    train, _ = prepare(tmp_path / "data", "auto", size, channels, tmp_path / "cache")
    assert train.batch([0]).shape == (1, size, size, channels)


def test_another_zip_of_the_same_name_is_read_anew(tmp_path: Path) -> None:
    archive = tmp_path / "data.zip"
    for level in (10, 20):
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("0.png", png(plain(level)))
            file.writestr("manifest.csv", table([("0.png", "train", 1)], HEADER))
        os.utime(archive, ns=(level, level))
        train, _ = read(archive, tmp_path / "cache")
        assert levels_of(train) == [level]
