"""Images, tables and archives as people have them, through the command line."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.training.conftest import Command, Result
from tests.training.data.archives import (
    DEFLATE64,
    ENCRYPTED,
    damage,
    mark,
    members,
    write_zip,
)
from tests.training.data.levels import UNSUPPORTED
from tests.training.sources import class_folders, disc, plain
from vae import checkpoint

Fit = Callable[[Path, Path], Result]


@pytest.fixture
def fit(command: Command, monkeypatch: pytest.MonkeyPatch) -> Fit:
    """One epoch of a tiny network."""

    def run(data: Path, folder: Path) -> Result:
        monkeypatch.setattr(logging.root, "handlers", [])  # else pytest has the log, not the user
        words = ["fit", "--data", data, "--out", folder / "out", "--run", folder / "run"]
        words += ["--size", 32, "--widths", 8, 8, "--latent-dim", 4, "--epochs", 1]
        result = command(*words, "--batch-size", 32)
        assert "Traceback" not in result.output
        return result

    return run


def test_images_without_classes_are_trained_on_without_labels(tmp_path: Path, fit: Fit) -> None:
    """One image of each odd kind among them."""
    data = tmp_path / "data"
    data.mkdir()
    for i in range(120):
        disc(i).save(data / f"{i:03d}.png")
    levels = np.add.outer(np.arange(40), np.arange(40)).astype(np.uint8)
    Image.fromarray(np.float32(levels) / 255).save(data / "float.tif")
    Image.fromarray(levels.astype(np.uint16) * 257).save(data / os.fsdecode(b"gr\xe9y16.png"))
    disc(0).save(data / "exif.png", exif=b"Exif\0\0MM?")
    (data / "odd\nname.jpg").write_bytes(b"no image")
    (data / "._000.png").write_bytes(b"Mac OS X")
    (data / "notes.txt").write_text("hello")
    (data / "again").symlink_to(".")
    result = fit(data, tmp_path)
    assert result.exit_code == 0, result.output
    for line in (
        "left out hidden or system files and folders: 1 (._000.png)",
        "left out links to what is listed already: 1 (again)",
        "left out files that are not images by their names: 1 (notes.txt)",
        "classes: none; the images have no labels",
        "skipped odd\nname.jpg: it is in no known image format",
        "1 of 124 images are corrupt; at most 1% may be",
    ):
        assert line in result.output
    written = checkpoint.load(tmp_path / "out" / "model.safetensors")
    assert written.directions == {}


def test_folders_of_splits_are_trained_and_tested_on(tmp_path: Path, fit: Fit) -> None:
    class_folders(tmp_path / "data" / "train", 30, ["a", "b"])
    class_folders(tmp_path / "data" / "val", 4, ["a", "b"])
    result = fit(tmp_path / "data", tmp_path)
    assert result.exit_code == 0, result.output
    assert "classes: a (34), b (34)\n60 images to train on, 8 to test on" in result.output
    assert checkpoint.load(tmp_path / "out" / "model.safetensors").directions.keys() == {"a", "b"}


def test_a_table_of_a_spreadsheet_says_what_its_columns_are(tmp_path: Path, fit: Fit) -> None:
    """A byte order mark, semicolons, an index, words for true and for unknown, -1 and 1."""
    data = tmp_path / "data"
    data.mkdir()
    rows = [";file;split;Big eyes;glass;age;who;note"]
    for i in range(64):
        disc(i).save(data / f"{i}.png")
        split, unknown = ("test" if i < 4 else "train"), i % 9 == 8
        glasses = "NA" if unknown else str(i % 2 == 1)
        rows.append(f"{i};{i}.png;{split};{i % 2 * 2 - 1};{glasses};{i},5;{['Zoë', 'Max'][i % 2]};")
    (data / "manifest.csv").write_text("\r\n".join(rows), encoding="utf-8-sig", newline="")
    result = fit(data, tmp_path)
    assert result.exit_code == 0, result.output
    for line in (
        "columns that are labels: Big eyes (0 and 1 for -1 and 1), "
        "glass (0 and 1 for False and True, 7 unknown), age (0.5 to 63.5)",
        "columns that are tags: who (2 words)",
        "columns that are unknown: note, 1 column without a name",
        "60 images to train on, 4 to test on",
    ):
        assert line in result.output
    written = checkpoint.load(tmp_path / "out" / "model.safetensors")
    assert written.directions["Big_eyes"].meaning == "Big eyes: from without to with"
    shown = {image.stem for image in (tmp_path / "out" / "report").iterdir()}
    assert {"directions", "edited_samples"} <= shown  # of a label whose name was converted


@pytest.mark.parametrize(
    ("method", "flags", "message"),
    [
        (DEFLATE64, 0, "is compressed with Deflate64, which is not supported"),
        (None, ENCRYPTED, "is protected by a password"),
    ],
)
def test_a_zip_that_cannot_be_read_is_refused_by_name(
    tmp_path: Path, fit: Fit, method: int | None, flags: int, message: str
) -> None:
    file = tmp_path / "data.zip"
    content = members(range(41))
    write_zip(file, content)
    mark(file, list(content), method, flags)
    result = fit(file, tmp_path)
    assert result.exit_code == 1
    assert f"error: {file}: manifest.csv cannot be read: it {message}" in result.output


def test_a_zip_of_windows_is_trained_on_without_what_is_damaged_in_it(
    tmp_path: Path, fit: Fit
) -> None:
    """Backslashes, one folder at the top, Windows-1252; of 240 images two cannot be decoded."""
    file, content = tmp_path / "data.zip", members(range(240))
    content["manifest.csv"] = content["manifest.csv"].replace(b"bright", "größe".encode("cp1252"))
    content["p/61.png"] = UNSUPPORTED
    renamed = {f"top/{name}".replace("/", "\\"): data for name, data in content.items()}
    write_zip(file, {**renamed, "__MACOSX\\._top": b"Mac OS X"})
    damage(file, "top\\p\\60.png")
    result = fit(file, tmp_path)
    assert result.exit_code == 0, result.output
    for line in (
        f"{file}: manifest.csv is not UTF-8; it is read as Windows-1252",
        "columns that are labels: größe (0 to 239)",
        "left out hidden or system files and folders: 1 (__MACOSX)",
        "skipped p/60.png: ",
        "skipped p/61.png: ",
        "2 of 240 images are corrupt; at most 1% may be",
        "238 images to train on, 0 to test on",
    ):
        assert line in result.output
    [direction] = checkpoint.load(tmp_path / "out" / "model.safetensors").directions.values()
    assert direction.meaning.startswith("größe: up by ")


def test_more_corrupt_images_than_the_limit_are_refused(tmp_path: Path, fit: Fit) -> None:
    content = members(range(41))
    content["p/7.png"] = content["p/7.png"][:40]
    write_zip(tmp_path / "data.zip", content)
    result = fit(tmp_path / "data.zip", tmp_path)
    assert result.exit_code == 1
    assert "1 of 41 images are corrupt; at most 1% may be. The first is p/7.png: " in result.output


def test_a_table_without_its_columns_is_refused_with_those_it_has(tmp_path: Path, fit: Fit) -> None:
    (tmp_path / "data").mkdir()
    plain(1).save(tmp_path / "data" / "0.png")
    (tmp_path / "data" / "manifest.csv").write_text("image;split\n0.png;train\n")
    result = fit(tmp_path / "data", tmp_path)
    assert result.exit_code == 1
    assert (
        "manifest.csv needs the columns file and split; found, separated by semicolons: "
        "'image', 'split'" in result.output
    )
