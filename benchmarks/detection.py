"""How many faces are found, and how many boxes are wrong.

``python -m benchmarks detection --faces FOLDER`` takes pictures with one face each, cut as the
training images are. Every picture is searched as the service does it: through ``read_copy``.
"""

import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import skimage.data
import torch
from PIL import Image, ImageDraw, ImageEnhance

from app.images.photograph import read_copy
from benchmarks.markdown import table
from training.data.avatars import png, portrait
from vae.faces import detector
from vae.faces.detector import FaceDetector

DETECTOR = Path(__file__).parent.parent / "models" / "face_detector"
SCENE = (1500, 1200)  # pixels
MAX_PIXELS, MAX_MEMORY = 10_000_000, 500_000_000
WIDTHS = (60, 120, 300, 1000)  # pixels a side of a pasted picture
DIM = 0.2  # of the brightness
HIDDEN = 0.4  # of the height of a picture, from below
MIN_OVERLAP = 0.3  # intersection over union of a box and the pasted picture
COUNT = 50  # of pictures of a face and of avatars, at most
FIRST_IDENTITY = 9000  # of the avatars: none was trained on
WITH_FACES = ("astronaut", "camera", "lfw_subset", "skin")  # of skimage.data; skin is no photograph
TURNS = (0, 90, 180, 270)  # degrees
RESULT = "detection.json"


class NoPicturesError(Exception):
    """The folder has no picture."""


@dataclass(frozen=True)
class Row:
    """What was found in one kind of picture.

    Attributes:
        name: of the kind.
        pictures: that were searched.
        found: pictures whose face was found; of pictures without a face 0.
        wrong: boxes that are on no face.
        pictures_wrong: pictures with such a box.
    """

    name: str
    pictures: int
    found: int
    wrong: int
    pictures_wrong: int


Box = tuple[float, float, float, float]
Picture = tuple[Image.Image, Box | None]  # and where its face is, None for nowhere


def chosen_pictures(faces: Path, count: int) -> list[Path]:
    """At most ``count`` pictures in a folder, evenly spaced.

    Raises:
        NoPicturesError: if there is none.
    """
    files = [f for f in sorted(faces.rglob("*")) if f.suffix in (".png", ".jpg", ".webp")]
    if not files:
        raise NoPicturesError(f"{faces} has no .png, .jpg or .webp file, which --faces needs")
    count = min(count, len(files))
    return [files[i * len(files) // count] for i in range(count)]


def run(out: Path, faces: Path, count: int) -> list[Path]:
    """Measure, and write the figures and a table to a folder.

    Args:
        out: the folder for the results.
        faces: the folder with the pictures; others than PNG, JPEG and WebP are left out.
        count: of pictures with a face, and of avatars, at most.

    Returns:
        the files that were written.

    Raises:
        NoPicturesError: if there is no picture in ``faces``.
    """
    chosen = chosen_pictures(faces, count)
    found = detector.load(DETECTOR)
    rows = [_row(found, name, pictures) for name, pictures in _kinds(chosen, count)]
    out.mkdir(parents=True, exist_ok=True)
    raw, page = out / RESULT, out / "detection.md"
    raw.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    page.write_text("\n".join(_page(rows)) + "\n")
    return [raw, page]


def _kinds(files: Sequence[Path], count: int) -> Iterator[tuple[str, Iterator[Picture]]]:
    """Names of the kinds of pictures, and the pictures."""
    yield "as they are", map(_whole, map(_opened, files))
    for width in WIDTHS:
        yield f"{width} pixels wide, in a scene", _scenes(files, width)
    for angle in (-30, -15, 15, 30):
        yield f"120 pixels, turned by {angle} degrees", _scenes(files, 120, angle=angle)
    yield f"120 pixels, at {DIM:g} of the brightness", _scenes(files, 120, change=_dimmed)
    yield f"120 pixels, the lower {HIDDEN:.0%} hidden", _scenes(files, 120, change=_hidden)
    yield "drawn scenes without a face", ((_ground(i), None) for i in range(len(files)))
    yield "avatars", ((_avatar(i), None) for i in range(count))
    yield "avatars as JPEG", ((_jpeg(_avatar(i)), None) for i in range(count))
    yield "skimage.data without faces, in four turns", islice(_bundled(), len(TURNS) * count)


def _row(found: FaceDetector, name: str, pictures: Iterator[Picture]) -> Row:
    total = right = wrong = pictures_wrong = 0
    for image, place in pictures:
        file = io.BytesIO()
        image.save(file, "BMP")
        copy = read_copy(file.getvalue(), MAX_PIXELS, MAX_MEMORY)
        scale = image.width / copy.shape[1]
        boxes = [
            tuple(scale * side for side in face.box)
            for face in found.detect(torch.from_numpy(copy))
        ]
        hits = [place is not None and _overlap(box, place) >= MIN_OVERLAP for box in boxes]
        total, right, wrong = total + 1, right + any(hits), wrong + hits.count(False)
        pictures_wrong += not all(hits)
    return Row(name, total, right, wrong, pictures_wrong)


def _overlap(box: Sequence[float], place: Box) -> float:
    """Intersection over union."""
    sides = [min(box[i + 2], place[i + 2]) - max(box[i], place[i]) for i in (0, 1)]
    common = max(0.0, sides[0]) * max(0.0, sides[1])
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, place)]
    return common / (sum(areas) - common)


def _opened(file: Path) -> Image.Image:
    return Image.open(file).convert("RGB")


def _whole(image: Image.Image) -> Picture:
    return image, (0, 0, image.width, image.height)


def _scenes(
    files: Sequence[Path],
    width: int,
    angle: float = 0.0,
    change: Callable[[Image.Image], Image.Image] = lambda image: image,
) -> Iterator[Picture]:
    """Each picture, changed, turned by an angle in degrees, and pasted into a drawn scene."""
    for number, file in enumerate(files):
        scene, random = _ground(number), np.random.default_rng(number)
        face = _opened(file)
        face = change(face.resize((width, round(width * face.height / face.width))))
        cover = Image.new("L", face.size, 255)
        face, cover = (
            image.rotate(angle, Image.Resampling.BICUBIC, expand=True) for image in (face, cover)
        )
        corner = [int(random.integers(0, max(1, scene.size[i] - face.size[i]))) for i in (0, 1)]
        scene.paste(face, (corner[0], corner[1]), cover)
        left, top = (corner[i] + (face.size[i] - width) / 2 for i in (0, 1))
        yield scene, (left, top, left + width, top + width)


def _ground(number: int) -> Image.Image:
    """A drawn scene of rectangles, ellipses and lines, with noise."""
    random = np.random.default_rng([number, 1])
    image = Image.new("RGB", SCENE, _color(random))
    draw = ImageDraw.Draw(image)
    for _ in range(60):
        x, y = (int(random.integers(-100, side)) for side in SCENE)
        width, height = (int(random.integers(10, 400)) for _ in range(2))
        shape = (draw.rectangle, draw.ellipse, draw.line)[random.integers(3)]
        shape((x, y, x + width, y + height), fill=_color(random))
    noise = random.normal(0, 8, (SCENE[1], SCENE[0], 1))
    return Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))


def _color(random: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = (int(level) for level in random.integers(0, 256, 3))
    return red, green, blue


def _dimmed(image: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(DIM)


def _hidden(image: Image.Image) -> Image.Image:
    """The lower part covered with one colour."""
    top = round((1 - HIDDEN) * image.height)
    image.paste("steelblue", (0, top, image.width, image.height))
    return image


def _avatar(number: int) -> Image.Image:
    return Image.open(io.BytesIO(png(portrait(0, FIRST_IDENTITY + number)))).convert("RGB")


def _jpeg(image: Image.Image) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=75)
    return Image.open(file)


def _bundled() -> Iterator[Picture]:
    """Pictures of skimage.data that its package has, without those that show a face."""
    folder = Path(skimage.data.__file__).parent
    for file in sorted(folder.glob("*.png")) + sorted(folder.glob("*.jpg")):
        if file.stem not in WITH_FACES:
            for turn in TURNS:
                yield _opened(file).rotate(turn, expand=True), None


def _page(rows: Sequence[Row]) -> list[str]:
    cells = [
        [
            row.name,
            str(row.pictures),
            f"{row.found / row.pictures:.1%}" if row.found else "-",
            str(row.wrong),
            f"{row.pictures_wrong / row.pictures:.1%}",
        ]
        for row in rows
    ]
    head = ["pictures", "number", "face found", "wrong boxes", "pictures with a wrong box"]
    return ["# Detection of faces", "", table(head, cells)]
