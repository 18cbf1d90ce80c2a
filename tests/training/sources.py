"""Writes small data sets in each of the formats that training reads."""

import csv
import io
import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from training.data.dataset import Dataset

Bytes = npt.NDArray[np.uint8]
HEADER = ["file", "split", "glasses", "male", "age"]


def disc(number: int, width: int = 40, height: int = 40) -> Image.Image:
    """A coloured disc on a coloured ground; both colours depend on the number."""
    rng = np.random.default_rng(number)
    ground, colour = rng.integers(0, 256, (2, 3))
    y, x = np.mgrid[:height, :width]
    inside = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (min(width, height) / 3) ** 2
    return Image.fromarray(np.where(inside[..., None], colour, ground).astype(np.uint8))


def plain(level: int, size: int = 8) -> Image.Image:
    """A grey image of one level."""
    return Image.new("RGB", (size, size), (level, level, level))


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def table(rows: Sequence[Sequence[object]], header: Sequence[str] = HEADER) -> str:
    file = io.StringIO()
    csv.writer(file).writerows([header, *rows])
    return file.getvalue()


def faces(file: Path, train: int = 24, test: int = 5) -> None:
    """A zip with a manifest of glasses (some unknown), male and age."""
    rows = []
    with zipfile.ZipFile(file, "w") as archive:
        for i in range(train + test):
            name = f"images/{i:03d}.png"
            archive.writestr(name, png(disc(i)))
            glasses = "" if i % 6 == 5 else i % 2
            rows.append((name, "train" if i < train else "test", glasses, i // 2 % 2, 20 + i % 7))
        archive.writestr("manifest.csv", table(rows))


def class_folders(folder: Path, count: int, classes: Sequence[str]) -> None:
    """``count`` images in each folder."""
    for c, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            disc(1000 * c + i, 32, 24).save(folder / name / f"{i:03d}.png")


def mnist(root: Path, kind: str, train: int = 260, test: int = 30) -> None:
    """The four idx files of MNIST or FashionMNIST: a bar of a class's own height."""
    raw = root / kind / "raw"
    raw.mkdir(parents=True)
    for split, count in (("train", train), ("t10k", test)):
        classes = np.arange(count) % 10
        pixels = np.zeros((count, 28, 28), np.uint8)
        for i, c in enumerate(classes):
            pixels[i, 2 * c + 3 : 2 * c + 7, 4:24] = 100 + i % 150
        head = struct.pack(">IIII", 0x0803, count, 28, 28)
        (raw / f"{split}-images-idx3-ubyte").write_bytes(head + pixels.tobytes())
        head = struct.pack(">II", 0x0801, count)
        labels = classes.astype(np.uint8).tobytes()
        (raw / f"{split}-labels-idx1-ubyte").write_bytes(head + labels)


def celeba(root: Path, parts: Sequence[int], names: Sequence[str]) -> npt.NDArray[np.int64]:
    """The files of CelebA; returns its attributes, -1 or 1, one row an image."""
    folder = root / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    files = [f"{i + 1:06d}.jpg" for i in range(len(parts))]
    values = np.random.default_rng(0).choice([-1, 1], (len(parts), len(names)))
    for i, file in enumerate(files):
        disc(i, 44, 54).save(folder / "img_align_celeba" / file)

    def write(name: str, head: Sequence[str], rows: Sequence[Sequence[int]]) -> None:
        lines = [
            f"{f} {' '.join(f'{v:2d}' for v in row)}" for f, row in zip(files, rows, strict=True)
        ]
        (folder / name).write_text("\n".join([*head, *lines]) + "\n")

    count = str(len(parts))
    write("list_attr_celeba.txt", [count, " ".join(names) + " "], values.tolist())
    write("list_eval_partition.txt", [], [[p] for p in parts])
    write("identity_CelebA.txt", [], [[i] for i in range(len(parts))])
    write("list_bbox_celeba.txt", [count, "image_id x_1 y_1 width height"], [[0] * 4] * len(parts))
    write("list_landmarks_align_celeba.txt", [count, "lefteye_x"], [[0] * 10] * len(parts))
    return values


def dataset(
    images: Bytes,
    labels: Mapping[str, Sequence[float]] | None = None,
    tags: dict[str, list[str]] | None = None,
    exclusive: bool = False,
) -> Dataset:
    """A split that holds all of these images ``(N, S, S, C)``."""
    columns = {k: np.array(v, np.float32) for k, v in (labels or {}).items()}
    rows = np.arange(len(images))
    return Dataset(images, rows, columns, tags or {}, exclusive, "made", "0" * 64)


def noise(count: int, size: int = 32, channels: int = 3, seed: int = 0) -> Bytes:
    shape = (count, size, size, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def levels(values: Sequence[int], size: int = 32, channels: int = 3) -> Bytes:
    """One plain image a value."""
    shape = (len(values), size, size, channels)
    return np.broadcast_to(np.array(values, np.uint8)[:, None, None, None], shape).copy()
