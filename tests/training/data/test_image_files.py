"""How the image files of a data set are decoded."""

import csv
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from app.images import decoding
from tests.app.images.test_helper_image import HEIC
from tests.training.data.levels import HEADER, UNSUPPORTED, levels_of, manifest, read
from tests.training.sources import disc, faces, plain, png, table
from training.data.decoding import prepare
from vae.preprocessing import to_square


def test_the_exif_orientation_is_applied(tmp_path: Path) -> None:
    image = Image.new("RGB", (40, 20), "blue")
    image.paste("red", (0, 0, 20, 20))  # red is left as stored, on top as meant
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "0.png", exif=exif)
    (tmp_path / "manifest.csv").write_text(table([("0.png", "train", 1)], HEADER))
    train, _ = read(tmp_path, tmp_path / "cache", size=16)
    found = train.batch([0])[0]
    assert found[2, 8].tolist() == [255, 0, 0]
    assert found[13, 8].tolist() == [0, 0, 255]


def ramp(mode: str) -> Image.Image:
    """Grey levels of 8 bits, or the same in a wider type."""
    eight = np.add.outer(np.arange(32), 7 * np.arange(32)).astype(np.uint8)
    wide: dict[str, npt.NDArray[Any]]
    wide = {"L": eight, "I;16": eight.astype(np.uint16) * 257, "F": eight.astype(np.float32) / 255}
    return Image.fromarray(wide[mode])


@pytest.mark.parametrize("name", ["grey16.png", "grey16.tif", "float.tif", "jpeg.jpg", "small.gif"])
@pytest.mark.parametrize("size", [32, 16])
def test_training_reads_what_the_service_reads(tmp_path: Path, name: str, size: int) -> None:
    modes = {"grey16.png": "I;16", "grey16.tif": "I;16", "float.tif": "F"}
    ramp(modes.get(name, "L")).save(tmp_path / name)
    (tmp_path / "manifest.csv").write_text(table([(name, "train", 1)], HEADER))
    train, _ = prepare(tmp_path, "auto", size, 1, tmp_path / "cache")
    found = train.batch([0])[0].numpy()
    served = decoding.read((tmp_path / name).read_bytes(), size, 1, "crop", 10**6).pixels
    assert np.array_equal(found, served)
    assert np.abs(found.astype(int) - to_square(ramp("L"), size, 1)).max() <= (
        4 if "jpeg" in name else 0
    )
    assert len(np.unique(found)) > 60


@pytest.mark.parametrize("name", ["photo.heic", "photo.HIF", "photo.avif"])
def test_photographs_of_telephones_are_read_as_the_service_reads_them(
    tmp_path: Path, name: str
) -> None:
    """The orientation of an AVIF is in its EXIF, that of a HEIC in the file itself."""
    file = tmp_path / "data" / name
    file.parent.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    if name.endswith("avif"):
        disc(3, 64, 48).save(file, exif=exif)
    else:
        file.write_bytes(HEIC)
    train, test = read(file.parent, tmp_path / "cache", size=48)
    found = (train if len(train) else test).batch([0])[0].numpy()
    served = decoding.read(file.read_bytes(), 48, 3, "crop", 10**6, 2**27).pixels
    assert np.abs(found.astype(int) - served).max() <= 1
    assert found.std() > 20


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
def test_an_image_with_damaged_exif_is_read_without_it(tmp_path: Path, kind: str) -> None:
    """Cut off, and with a wrong header: Pillow raises errors of several types."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x8769] = 1, "Maker", {0x9003: "2020:01:01 00:00:00"}
    good = exif.tobytes()
    damaged = [good[:end] for end in range(6, len(good), 3)]
    damaged += [good[:at] + b"\x7f" + good[at + 1 :] for at in range(6, 14)]
    for i, data in enumerate(damaged):
        plain(100, 24).save(tmp_path / f"{i}.img", kind, exif=data)
    rows = [(f"{i}.img", "train", 1) for i in range(len(damaged))]
    (tmp_path / "manifest.csv").write_text(table(rows, HEADER))
    train, _ = read(tmp_path, tmp_path / "cache")
    assert len(train) == len(damaged) > 30
    assert np.abs(np.array(levels_of(train)) - 100).max() <= 2


DAMAGED = {
    "text.png": b"hello",
    "empty.jpg": b"",
    "html.jpg": b"<!DOCTYPE html><title>404</title>",
    "truncated.png": png(disc(1))[:90],
    "format.dds": UNSUPPORTED,
    "header.tif": b"II*\0\x08\0\0\0\xff\xff" + bytes(8),
    "palette.gif": b"GIF89a\1\0\1\0\0\0\0,",
    "qoi.png": b"qoif\0\0\0\x20\0\0\0\x20\3\0",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_whatever_a_decoder_raises_costs_one_image(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    rows = manifest(tmp_path / "data", range(120))
    (tmp_path / "data" / name).write_bytes(DAMAGED[name])
    rows[7][0] = name
    (tmp_path / "data" / "manifest.csv").write_text(table(rows, HEADER))
    train, _ = read(tmp_path / "data", tmp_path / "cache")
    assert levels_of(train) == [i for i in range(120) if i != 7]
    assert f"skipped {name}: " in caplog.text


def test_a_manifest_in_a_zip_is_read_to_the_pixels_and_labels_that_it_has(tmp_path: Path) -> None:
    faces(tmp_path / "faces.zip")
    with zipfile.ZipFile(tmp_path / "faces.zip") as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("manifest.csv").decode())))
        images = [Image.open(io.BytesIO(archive.read(row["file"]))) for row in rows]
        pixels = [to_square(image, 16, 3) for image in images]
    for data, split in zip(
        read(tmp_path / "faces.zip", tmp_path / "cache", 16), ("train", "test"), strict=True
    ):
        chosen = [i for i, row in enumerate(rows) if row["split"] == split]
        assert data.rows.tolist() == chosen
        assert np.array_equal(data.batch(range(len(data))), [pixels[i] for i in chosen])
        assert list(data.labels) == ["glasses", "male", "age"]
        for name, values in data.labels.items():
            expected = [float(rows[i][name] or "nan") for i in chosen]
            assert np.array_equal(values, expected, equal_nan=True)


def test_training_and_service_resize_with_the_same_function(tmp_path: Path) -> None:
    image = disc(3, 90, 61)
    image.save(tmp_path / "0.png")
    (tmp_path / "manifest.csv").write_text(table([("0.png", "train", 1)], HEADER))
    train, _ = read(tmp_path, tmp_path / "cache", size=16)
    assert np.array_equal(train.batch([0])[0].numpy(), to_square(image, 16, 3))
