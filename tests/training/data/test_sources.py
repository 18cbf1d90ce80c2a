import zipfile
from pathlib import Path

import numpy as np
import pytest
from torchvision.datasets import CelebA

from tests.training import sources
from tests.training.data.levels import levels_of, manifest, read
from tests.training.sources import plain, table
from training.data.decoding import prepare
from training.data.sources import Source
from vae.preprocessing import to_square


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


def test_class_folders_hold_out_the_same_few_images_wherever_they_lie(tmp_path: Path) -> None:
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


def test_a_new_image_does_not_change_the_split_of_the_others(tmp_path: Path) -> None:
    sources.class_folders(tmp_path / "data", 60, ["a", "b"])
    _, before = read(tmp_path / "data", tmp_path / "cache-1")
    plain(0).save(tmp_path / "data" / "a" / "zzz.png")
    _, after = read(tmp_path / "data", tmp_path / "cache-2")
    kept = {image.numpy().tobytes() for image in before.batch(range(len(before)))}
    assert kept <= {image.numpy().tobytes() for image in after.batch(range(len(after)))}


@pytest.mark.parametrize(("kind", "source"), [("MNIST", "mnist"), ("FashionMNIST", "fashion")])
def test_idx_files_through_torchvision(tmp_path: Path, kind: str, source: str) -> None:
    sources.mnist(tmp_path / "data", kind, train=20, test=10)
    path = tmp_path / "data"
    train, test = prepare(path, "mnist" if source == "mnist" else "fashion", 28, 1, tmp_path)
    assert (len(train), len(test)) == (20, 10)
    assert train.exclusive
    for name, row in zip(train.labels, range(10), strict=True):
        assert np.flatnonzero(train.labels[name]).tolist() == [row, row + 10]
        image = train.batch([row])[0, :, :, 0]
        assert int(image.any(1).int().argmax()) == 2 * row + 3  # the bar of this class


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
            expected = to_square(sources.disc(row, 44, 54), 16, 3).astype(float)
            assert np.abs(data.batch([i])[0].numpy() - expected).mean() < 8  # it went by JPEG
