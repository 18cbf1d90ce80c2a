import zipfile
from pathlib import Path

import pytest

from tests.training.data.archives import (
    DEFLATE64,
    ENCRYPTED,
    damage,
    mark,
    members,
    with_names,
    write_zip,
)
from tests.training.data.levels import HEADER, levels_of, read
from tests.training.sources import plain, png, table
from training.data.dataset import DataError

LEVELS = range(120)


def test_a_zip_of_windows_is_read(tmp_path: Path) -> None:
    """Backslashes, and everything in one folder."""
    names = {name: name.replace("/", "\\") for name in members(LEVELS)}
    content = members(LEVELS)
    write_zip(tmp_path / "data.zip", {f"top\\{names[name]}": content[name] for name in names})
    train, _ = read(tmp_path / "data.zip", tmp_path / "cache")
    assert levels_of(train) == list(LEVELS)


@pytest.mark.parametrize("separator", ["/", "\\"])
def test_a_zip_of_class_folders_is_read(tmp_path: Path, separator: str) -> None:
    names = [f"top/{'ab'[i % 2]}/{i}.png".replace("/", separator) for i in LEVELS]
    write_zip(tmp_path / "data.zip", {name: png(plain(i)) for i, name in enumerate(names)})
    train, test = read(tmp_path / "data.zip", tmp_path / "cache")
    assert len(train) + len(test) == 120
    assert [level % 2 for level in levels_of(train)] == train.labels["b"].tolist()


def test_a_zip_of_a_mac_is_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    content = members(LEVELS)
    resources = {f"__MACOSX/p/._{i}.png": b"Mac OS X" for i in LEVELS}
    write_zip(tmp_path / "data.zip", {**content, **resources, ".DS_Store": b"Bud1", "a.txt": b"a"})
    train, _ = read(tmp_path / "data.zip", tmp_path / "cache")
    assert levels_of(train) == list(LEVELS)
    assert "hidden or system files and folders: 2 (.DS_Store, __MACOSX)" in caplog.text
    assert "left out files that manifest.csv does not list: 1 (a.txt)" in caplog.text


@pytest.mark.parametrize(
    "stored", ["café".encode("cp437"), "café".encode("cp1252"), "café".encode(), b"caf\x65\xcc\x81"]
)
def test_names_in_any_encoding_are_found(tmp_path: Path, stored: bytes) -> None:
    rows = [("café.png", "train", 10)]
    content = {
        stored + b".png": png(plain(10)),
        b"manifest.csv": table(rows, HEADER).encode(),
    }
    with_names(tmp_path / "data.zip", content)
    train, _ = read(tmp_path / "data.zip", tmp_path / "cache")
    assert levels_of(train) == [10]


@pytest.mark.parametrize(
    ("method", "flags", "reason"),
    [
        (DEFLATE64, 0, "it is compressed with Deflate64, which is not supported; unpack the zip"),
        (None, ENCRYPTED, "it is protected by a password; make the zip again without one"),
        (99, ENCRYPTED, "it is protected by a password"),
        (77, 0, "it is compressed with method 77"),
    ],
)
def test_a_member_that_cannot_be_read_is_refused_by_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, method: int, flags: int, reason: str
) -> None:
    file = tmp_path / "data.zip"
    write_zip(file, members(LEVELS))
    mark(file, ["p/60.png"], method, flags)
    train, _ = read(file, tmp_path / "cache")
    assert levels_of(train) == [i for i in LEVELS if i != 60]
    assert f"skipped p/60.png: {reason}" in caplog.text

    mark(file, [f"p/{i}.png" for i in LEVELS], method, flags)
    message = f"120 of 120 images are corrupt; at most 1% may be. The first is p/0.png: {reason}"
    with pytest.raises(DataError, match=message):
        read(file, tmp_path / "cache-2")
    mark(file, ["manifest.csv"], method, flags)
    with pytest.raises(DataError, match=rf"data\.zip: manifest\.csv cannot be read: {reason}"):
        read(file, tmp_path / "cache-2")


@pytest.mark.parametrize(
    "compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_damaged_member_costs_one_image(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, compression: int
) -> None:
    file = tmp_path / "data.zip"
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members(LEVELS).items():
            archive.writestr(name, content)
    damage(file, "p/60.png")
    train, _ = read(file, tmp_path / "cache")
    assert levels_of(train) == [i for i in LEVELS if i != 60]
    assert "skipped p/60.png: " in caplog.text


def test_two_manifests_are_ambiguous(tmp_path: Path) -> None:
    write_zip(tmp_path / "data.zip", {"a/manifest.csv": b"", "b/manifest.csv": b""})
    with pytest.raises(DataError, match=r"several manifests: a/manifest\.csv, b/manifest\.csv"):
        read(tmp_path / "data.zip", tmp_path / "cache")


def test_a_zip_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "data.zip"
    write_zip(file, members(LEVELS))
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(DataError, match="neither a folder nor a zip archive"):
        read(file, tmp_path / "cache")
