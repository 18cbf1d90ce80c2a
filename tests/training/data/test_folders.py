import logging
from pathlib import Path

import numpy as np
import pytest

from tests.training.data.levels import levels_of, read
from tests.training.sources import plain
from training.data.dataset import DataError


def images(folder: Path, levels: range) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for level in levels:
        plain(level).save(folder / f"{level}.png")


@pytest.mark.parametrize("top", ["", "top", "top/inner"])
@pytest.mark.parametrize("held_out", ["test", "val", "valid", "Validation", "testing"])
def test_folders_of_splits_are_the_splits(tmp_path: Path, top: str, held_out: str) -> None:
    data = tmp_path / "data"
    images(data / top / "train" / "a", range(20))
    images(data / top / "train" / "b", range(20, 40))
    images(data / top / held_out / "a", range(40, 45))
    images(data / top / held_out / "b", range(45, 50))
    train, test = read(data, tmp_path / "cache")
    assert sorted(levels_of(train)) == list(range(40))
    assert sorted(levels_of(test)) == list(range(40, 50))
    assert train.exclusive
    assert list(train.labels) == ["a", "b"]
    assert train.labels["b"].tolist() == [level >= 20 for level in levels_of(train)]
    assert test.labels["b"].tolist() == [level >= 45 for level in levels_of(test)]


def test_validation_images_are_left_out_beside_test_images(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for i, name in enumerate(["train", "test", "val", "extra"]):
        images(tmp_path / "data" / name, range(10 * i, 10 * i + 10))
    train, test = read(tmp_path / "data", tmp_path / "cache")
    assert sorted(levels_of(train)) == list(range(10))
    assert sorted(levels_of(test)) == list(range(10, 20))
    assert not train.labels
    assert "left out images outside the folders of the two splits: 20 (extra/30.png" in caplog.text


def test_a_test_split_without_classes_has_unknown_labels(tmp_path: Path) -> None:
    images(tmp_path / "data" / "train" / "a", range(10))
    images(tmp_path / "data" / "train" / "b", range(10))
    images(tmp_path / "data" / "test", range(5))
    train, test = read(tmp_path / "data", tmp_path / "cache")
    assert train.labels["a"].sum() == 10
    assert len(test) == 5
    assert np.isnan(test.labels["a"]).all()


def test_classes_named_like_a_split_are_classes(tmp_path: Path) -> None:
    for name in ("bus", "train", "car"):
        images(tmp_path / "data" / name, range(60))
    train, _ = read(tmp_path / "data", tmp_path / "cache")
    assert list(train.labels) == ["bus", "car", "train"]


@pytest.mark.parametrize("folders", [[""], ["holiday"], ["", "old"], ["top/holiday"]])
def test_images_in_one_folder_have_no_labels(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, folders: list[str]
) -> None:
    caplog.set_level(logging.INFO)
    for i, folder in enumerate(folders):
        images(tmp_path / "data" / folder, range(60 * i, 60 * i + 60))
    train, test = read(tmp_path / "data", tmp_path / "cache")
    assert sorted(levels_of(train) + levels_of(test)) == list(range(60 * len(folders)))
    assert len(test) >= 1
    assert train.labels == {}
    assert not train.exclusive
    assert "classes: none; the images have no labels" in caplog.text


def test_what_is_left_out_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for name in ("a", "b"):
        images(tmp_path / "data" / name, range(60))
    images(tmp_path / "data", range(4))
    (tmp_path / "data" / "empty").mkdir()
    (tmp_path / "data" / "labels.csv").write_text("file,glasses\n")
    train, test = read(tmp_path / "data", tmp_path / "cache")
    assert len(train) + len(test) == 120
    assert list(train.labels) == ["a", "b"]
    assert "classes: a (60), b (60)" in caplog.text
    assert "left out images outside the class folders: 4 (0.png, 1.png, 2.png, ...)" in caplog.text
    assert "not images by their names: 1 (labels.csv)" in caplog.text
    assert "labels.csv is not read: a table of labels is called manifest.csv" in caplog.text


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "notes.txt").write_text("hello")
    with pytest.raises(
        DataError, match="nor class folders nor images in it; images have the names"
    ):
        read(tmp_path / "data", tmp_path / "cache")
