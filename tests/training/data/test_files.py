import os
from pathlib import Path

import pytest

from tests.training.data.levels import levels_of, manifest, read
from tests.training.sources import class_folders, plain, table
from training.data.files import LeftOut, file_in, folder_files, spellings, system_prefix, text_of


def names(folder: Path, left_out: LeftOut | None = None) -> list[str]:
    return sorted(file.name for file in folder_files(folder, left_out or LeftOut()))


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("a/1.png", None),
        ("a/._1.png", "a/._1.png"),
        (".git/objects/1.png", ".git"),
        ("a/@eaDir/1.png/thumb.jpg", "a/@eaDir"),
        ("__MACOSX/a/._1.png", "__MACOSX"),
        ("a/.thumbnails/1.png", "a/.thumbnails"),
        ("a/Thumbs.db", "a/Thumbs.db"),
        ("thumbs/1.png", None),
    ],
)
def test_hidden_and_system_files_are_known_by_name(name: str, prefix: str | None) -> None:
    assert system_prefix(name) == prefix


def test_hidden_and_system_files_do_not_count(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    class_folders(tmp_path / "data", 60, ["a", "b"])
    clean, _ = read(tmp_path / "data", tmp_path / "cache-1")
    for name in (
        ".git/x.png",
        "@eaDir/a/x.png",
        "a/.thumbnails/x.png",
        "a/._000.png",
        "b/Thumbs.db",
    ):
        file = tmp_path / "data" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"no image")
    train, _ = read(tmp_path / "data", tmp_path / "cache-2")
    assert train.fingerprint() == clean.fingerprint()
    assert "left out hidden or system files and folders: 5 (.git, @eaDir, a/._000.png, ...)" in (
        caplog.text
    )


def test_a_link_is_followed_once(tmp_path: Path) -> None:
    class_folders(tmp_path / "data", 3, ["b", "c"])
    class_folders(tmp_path / "elsewhere", 2, ["d"])
    links = {
        "b/up": "..",  # a loop
        "a": "b",  # before b in the alphabet
        "e": "../elsewhere/d",
        "f": "../elsewhere/d",
        "c/x.png": "../b/000.png",
        "self": "self",
    }
    for name, target in links.items():
        (tmp_path / "data" / name).symlink_to(target)
    left_out = LeftOut()
    found = names(tmp_path / "data", left_out)
    assert [n for n in found if n[0] in "bc"] == [
        f"{c}/{i:03d}.png" for c in "bc" for i in range(3)
    ]
    assert len([n for n in found if n[0] in "ef"]) == 2
    assert sorted(left_out.names["links to what is listed already"])[:3] == ["a", "b/up", "c/x.png"]


def test_a_broken_link_is_an_image_that_cannot_be_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class_folders(tmp_path / "data", 60, ["a", "b"])
    (tmp_path / "data" / "a" / "gone.png").symlink_to("nowhere.png")
    train, test = read(tmp_path / "data", tmp_path / "cache")
    assert len(train) + len(test) == 120
    assert "skipped a/gone.png: No such file or directory" in caplog.text


@pytest.mark.timeout(20)
def test_a_pipe_is_not_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    left_out = LeftOut()
    assert names(tmp_path, left_out) == []
    assert left_out.names == {"pipes, sockets and devices": ["pipe.png"]}
    with pytest.raises(OSError, match="no file but a folder, pipe or device"):
        file_in(tmp_path, "pipe.png").read()


@pytest.mark.parametrize("raw", [b"caf\xc3\xa9", b"caf\xe9", b"\x89\xe6\x91\x9c", b"a\nb"])
def test_names_of_any_bytes_are_read(tmp_path: Path, raw: bytes) -> None:
    data = tmp_path / "data"
    class_folders(data, 40, ["a"])
    folder = data / os.fsdecode(raw)
    folder.mkdir()
    for i in range(40):
        plain(i).save(folder / f"{os.fsdecode(raw)}{i}.png")
    train, test = read(data, tmp_path / "cache")
    assert len(train) + len(test) == 80
    assert set(train.labels) == {"a", text_of(os.fsdecode(raw))}
    for name in train.labels:
        name.encode()


@pytest.mark.parametrize(
    ("listed", "stored"),
    [
        ("p\\0.png", "p/0.png"),
        ("./p/0.png", "p/0.png"),
        ("café.png", "cafe\u0301.png"),
        ("cafe\u0301.png", "café.png"),
        ("café.png", os.fsdecode("café.png".encode("cp1252"))),
        ("画像.png", os.fsdecode("画像.png".encode("cp932"))),
        ("фото.png", os.fsdecode("фото.png".encode("cp866"))),
    ],
)
def test_a_manifest_may_spell_a_name_in_another_way(
    tmp_path: Path, listed: str, stored: str
) -> None:
    assert stored in spellings(listed)
    manifest(tmp_path / "data", [10])
    (tmp_path / "data" / "p").mkdir()
    (tmp_path / "data" / "0.png").rename(tmp_path / "data" / stored)
    rows = [(listed, "train", 10)]
    (tmp_path / "data" / "manifest.csv").write_text(table(rows, ["file", "split", "bright"]))
    train, _ = read(tmp_path / "data", tmp_path / "cache")
    assert levels_of(train) == [10]
