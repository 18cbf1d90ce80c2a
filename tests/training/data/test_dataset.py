from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training import sources
from tests.training.data.levels import levels_of, manifest, read
from tests.training.sources import dataset, levels


def test_rows_keep_images_labels_and_tags_together() -> None:
    tags = {"word": ["a", "b", "c"]}
    found = dataset(levels([10, 20, 30]), {"bright": [1, 2, 3]}, tags).rows_at([2, 0])
    assert levels_of(found) == [30, 10]
    assert found.labels["bright"].tolist() == [3, 1]
    assert found.tags["word"] == ["c", "a"]


@pytest.mark.parametrize("count", [1, 5, 16, 17, 1000])
def test_images_are_evenly_spaced_over_the_split(tmp_path: Path, count: int) -> None:
    manifest(tmp_path / "data", range(0, 34, 2))
    train, _ = read(tmp_path / "data", tmp_path / "cache")
    shown = train.evenly_spaced(count)
    assert len(shown) == min(count, 17)
    found = levels_of(shown)
    assert shown.labels["bright"].tolist() == found
    assert found[0] == 0
    assert set(np.diff(found)) <= {2 * (17 // len(shown)), 2 * -(-17 // len(shown))}


def test_a_few_images_of_class_folders_are_of_every_class(tmp_path: Path) -> None:
    """Class folders list their images class by class."""
    sources.class_folders(tmp_path / "data", 40, ["a", "b", "c", "d"])
    train, _ = read(tmp_path / "data", tmp_path / "cache")
    shown = train.evenly_spaced(12)
    assert min(int(shown.labels[name].sum()) for name in "abcd") >= 2


def test_no_images_are_evenly_spaced_too() -> None:
    assert len(dataset(levels([10])).rows_at([]).evenly_spaced(4)) == 0


def test_a_fingerprint_says_what_has_changed() -> None:
    data = dataset(levels([10, 20, 30]), {"bright": [1, 2, 3]}, {"word": ["a", "b", "c"]})
    others = {
        "images": replace(data, sha256="1" * 64),
        "split": replace(data, rows=data.rows[::-1].copy()),
        "labels": replace(data, labels={"bright": data.labels["bright"] + 1}),
    }
    for name, other in others.items():
        before, after = data.fingerprint(), other.fingerprint()
        assert {k for k in before if before[k] != after[k]} == {name}
    renamed = replace(data, tags={"word": ["a", "b", "z"]})
    assert renamed.fingerprint()["labels"] != data.fingerprint()["labels"]
