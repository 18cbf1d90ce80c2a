from pathlib import Path

import pytest

from tests.training.data.levels import HEADER, levels_of, manifest, read
from tests.training.sources import table
from training.data.dataset import DataError


def test_the_one_folder_in_a_folder_may_hold_the_manifest(tmp_path: Path) -> None:
    """As an unpacked zip."""
    manifest(tmp_path / "data" / "faces", [10, 20, 30], test=1)
    (tmp_path / "data" / "__MACOSX").mkdir()
    train, test = read(tmp_path / "data", tmp_path / "cache")
    assert levels_of(train) == [20, 30]
    assert levels_of(test) == [10]


def test_an_image_that_is_in_both_splits_is_refused(tmp_path: Path) -> None:
    manifest(tmp_path, [10, 20])
    rows = [("0.png", "train", 1), ("1.png", "train", 2), ("0.png", "test", 1)]
    (tmp_path / "manifest.csv").write_text(table(rows, HEADER))
    with pytest.raises(DataError, match=r"lines 2 and 4: 0\.png is in both splits"):
        read(tmp_path, tmp_path / "cache")


def test_a_row_may_occur_twice_in_one_split(tmp_path: Path) -> None:
    manifest(tmp_path, [10, 20])
    rows = [("0.png", "train", 1), ("1.png", "Train", 2), ("0.png", "train", 1)]
    (tmp_path / "manifest.csv").write_text(table(rows, HEADER))
    train, _ = read(tmp_path, tmp_path / "cache")
    assert levels_of(train) == [10, 20, 10]
