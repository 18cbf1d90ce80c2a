import logging
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import CelebA

from tests.training import sources
from tests.training.sources import plain, png, table
from training.data.sources import DataError, Dataset, Source, prepare, square

HEADER = ["file", "split", "bright"]


def manifest(folder: Path, levels: Sequence[int], test: int = 0) -> list[list[object]]:
    """Plain pictures whose only label is their own level; answers the rows of the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[list[object]] = []
    for i, level in enumerate(levels):
        plain(level).save(folder / f"{i}.png")
        rows.append([f"{i}.png", "test" if i < test else "train", level])
    (folder / "manifest.csv").write_text(table(rows, HEADER))
    return rows


def spoil(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:40])


def read(path: Path, cache: Path, size: int = 8) -> tuple[Dataset, Dataset]:
    return prepare(path, "auto", size, 3, cache)


def levels_of(data: Dataset) -> list[int]:
    found: list[int] = data.batch(range(len(data)))[:, 0, 0, 0].tolist()
    return found


# Sources


def test_a_folder_and_a_zip_with_the_same_manifest_read_the_same(tmp_path: Path) -> None:
    folder, archive = tmp_path / "folder", tmp_path / "data.zip"
    manifest(folder, [10, 20, 30, 40], test=1)
    with zipfile.ZipFile(archive, "w") as file:
        for member in folder.iterdir():
            file.write(member, member.name)
    for path in (folder, archive):
        train, test = read(path, tmp_path / f"cache-{path.stem}")
        assert levels_of(train) == train.labels["bright"].tolist() == [20, 30, 40]
        assert levels_of(test) == test.labels["bright"].tolist() == [10]
        assert train.batch([2, 0]).shape == (2, 8, 8, 3)
        assert not train.exclusive
    assert train.name == "data.zip"


def test_numbers_are_labels_and_words_are_tags(tmp_path: Path) -> None:
    header = ["file", "split", "identity", "glasses", "frame"]
    rows = [("0.png", "train", 7, 1, "round"), ("1.png", "train", 8, "", "")]
    manifest(tmp_path / "data", [0, 1])
    (tmp_path / "data" / "manifest.csv").write_text(table(rows, header))
    train, _ = read(tmp_path / "data", tmp_path / "cache")
    assert train.labels.keys() == {"glasses"}
    assert np.array_equal(train.labels["glasses"], [1, np.nan], equal_nan=True)
    assert train.tags == {"identity": ["7", "8"], "frame": ["round", ""]}


def test_class_folders_hold_out_the_same_few_pictures_wherever_they_lie(tmp_path: Path) -> None:
    for place in ("here", "there"):
        sources.class_folders(tmp_path / place, 60, ["a", "b"])
    train, test = read(tmp_path / "here", tmp_path / "cache-here")
    elsewhere = read(tmp_path / "there", tmp_path / "cache-there")
    assert len(train) + len(test) == 120
    assert 1 <= len(test) <= 14
    for ours, theirs in zip((train, test), elsewhere, strict=True):
        assert ours.rows.tolist() == theirs.rows.tolist()
        assert ours.batch(range(len(ours))).equal(theirs.batch(range(len(theirs))))
    assert train.exclusive
    assert (train.labels["a"] + train.labels["b"] == 1).all()


def test_a_new_picture_does_not_change_the_split_of_the_others(tmp_path: Path) -> None:
    sources.class_folders(tmp_path / "data", 60, ["a", "b"])
    _, before = read(tmp_path / "data", tmp_path / "cache-1")
    plain(0).save(tmp_path / "data" / "a" / "zzz.png")
    _, after = read(tmp_path / "data", tmp_path / "cache-2")
    kept = {picture.numpy().tobytes() for picture in before.batch(range(len(before)))}
    assert kept <= {picture.numpy().tobytes() for picture in after.batch(range(len(after)))}


@pytest.mark.parametrize(("kind", "source"), [("MNIST", "mnist"), ("FashionMNIST", "fashion")])
def test_idx_files_through_torchvision(tmp_path: Path, kind: str, source: str) -> None:
    sources.mnist(tmp_path / "data", kind, train=20, test=10)
    path = tmp_path / "data"
    train, test = prepare(path, "mnist" if source == "mnist" else "fashion", 28, 1, tmp_path)
    assert (len(train), len(test)) == (20, 10)
    assert train.exclusive
    for name, row in zip(train.labels, range(10), strict=True):
        assert np.flatnonzero(train.labels[name]).tolist() == [row, row + 10]
        picture = train.batch([row])[0, :, :, 0]
        assert int(picture.any(1).int().argmax()) == 2 * row + 3  # the bar of this class


@pytest.mark.parametrize("source", ["celeba", "auto"])
def test_celeba_through_torchvision(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CelebA, "_check_integrity", lambda self: True)  # sums of the real files
    names = [f"Attribute_{i}" for i in range(40)]
    values = sources.celeba(tmp_path / "data", [0, 2, 1, 0, 2, 0, 2], names)
    train, test = prepare(tmp_path / "data", source, 16, 3, tmp_path / "cache")
    for data, rows in ((train, [0, 3, 5]), (test, [1, 4, 6])):
        assert list(data.labels) == names
        found = np.stack(list(data.labels.values()), axis=1)
        assert np.array_equal(found, (values[rows] + 1) / 2)
        for i, row in enumerate(rows):
            expected = square(sources.disc(row, 44, 54), 16, "RGB").astype(float)
            assert np.abs(data.batch([i])[0].numpy() - expected).mean() < 8  # it went by JPEG


def test_grey_is_one_channel(tmp_path: Path) -> None:
    manifest(tmp_path / "data", [10, 200])
    train, _ = prepare(tmp_path / "data", "auto", 8, 1, tmp_path / "cache")
    assert train.batch([0, 1]).shape == (2, 8, 8, 1)
    assert levels_of(train) == [10, 200]


# Corrupt pictures


def test_a_corrupt_picture_is_named_and_skipped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "data"
    manifest(folder, range(150), test=2)
    spoil(folder / "77.png")
    with caplog.at_level(logging.WARNING):
        train, test = read(folder, tmp_path / "cache")
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["skipped 77.png"]
    assert levels_of(test) == [0, 1]
    assert levels_of(train) == [*range(2, 77), *range(78, 150)]
    assert train.labels["bright"].tolist() == levels_of(train)


def test_a_picture_that_is_not_there_is_named_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    manifest(tmp_path / "data", range(120))
    (tmp_path / "data" / "5.png").unlink()
    train, _ = read(tmp_path / "data", tmp_path / "cache")
    assert len(train) == 119
    assert "skipped 5.png" in caplog.text


def test_many_corrupt_pictures_are_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    manifest(folder, range(150))
    for i in (3, 50, 149):
        spoil(folder / f"{i}.png")
    for _ in range(2):  # the second call does not take the first one's leavings for a cache
        with pytest.raises(DataError, match="3 of 150 pictures are corrupt"):
            read(folder, tmp_path / "cache")


# The cache


def test_a_second_call_does_not_decode_again(tmp_path: Path) -> None:
    folder, cache = tmp_path / "data", tmp_path / "cache"
    manifest(folder, [10, 20, 30], test=1)
    first, _ = read(folder, cache)
    written = (cache / "pictures.npy").stat().st_mtime_ns
    for file in folder.glob("*.png"):
        file.unlink()
    second, _ = read(folder, cache)
    assert levels_of(second) == [20, 30]
    assert second.sha256 == first.sha256
    assert (cache / "pictures.npy").stat().st_mtime_ns == written


def test_skipped_pictures_stay_skipped_in_the_cache(tmp_path: Path) -> None:
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


# Pixels


@pytest.mark.parametrize(("width", "height"), [(120, 60), (60, 120), (64, 64), (90, 61)])
def test_a_picture_of_any_shape_comes_out_square_and_undistorted(width: int, height: int) -> None:
    found = square(sources.disc(3, width, height), 32, "L").astype(float)
    assert found.shape == (32, 32)
    ground = found[0, 0]
    inside = np.abs(found - ground) > np.abs(found[16, 16] - ground) / 2
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    diameter = 2 * 32 / 3
    for span in (rows, columns):
        assert np.ptp(span) + 1 == pytest.approx(diameter, abs=1.5)
        assert span.mean() == pytest.approx(15.5, abs=1)


def test_a_picture_of_the_right_size_is_left_alone() -> None:
    picture = Image.fromarray(sources.noise(1)[0])
    assert np.array_equal(square(picture, 32, "RGB"), sources.noise(1)[0])


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_goes_onto_white(mode: str) -> None:
    if mode == "P":
        picture = Image.new("P", (8, 8), 0)
        picture.putpalette([0, 0, 0])
        picture.info["transparency"] = 0
    else:
        picture = Image.new(mode, (8, 8), (0,) * len(mode))
    assert (square(picture, 8, "RGB") == 255).all()


def test_half_transparency_is_half_white() -> None:
    picture = Image.new("RGBA", (8, 8), (255, 0, 0, 128))
    assert square(picture, 8, "RGB")[0, 0].tolist() == [255, 127, 127]


def test_the_exif_orientation_is_applied(tmp_path: Path) -> None:
    picture = Image.new("RGB", (40, 20), "blue")
    picture.paste("red", (0, 0, 20, 20))  # red is left as stored, on top as meant
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(tmp_path / "0.png", exif=exif)
    (tmp_path / "manifest.csv").write_text(table([("0.png", "train", 1)], HEADER))
    train, _ = read(tmp_path, tmp_path / "cache", size=16)
    found = train.batch([0])[0]
    assert found[2, 8].tolist() == [255, 0, 0]
    assert found[13, 8].tolist() == [0, 0, 255]


def test_the_head_keeps_pictures_and_labels_together(tmp_path: Path) -> None:
    manifest(tmp_path / "data", [10, 20, 30, 40], test=1)
    train, _ = read(tmp_path / "data", tmp_path / "cache")
    assert levels_of(train.head(2)) == train.head(2).labels["bright"].tolist() == [20, 30]
    assert len(train.head(100)) == 3
