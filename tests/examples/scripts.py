"""Running the examples as a user does, and the photographs that they get."""

import io
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageSequence

from training.data.avatars import Portrait, counterfactuals, png

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
SEED, FIRST_TEST_IDENTITY = 0, 8000  # of the data that models/avatars never saw

# Where a scene has its face: left, top, right, bottom, in pixels.
SCENE_SIZE = (600, 450)
FACE = (200, 90, 500, 390)
EYES = (240, 150, 460, 220)
MOUTH = (240, 270, 460, 320)
AVATAR_EYES = (40, 80, 216, 150)

Pixels = npt.NDArray[np.float64]
Box = tuple[int, int, int, int]


def run(
    name: str, url: str, *arguments: str | Path, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """The ended process of an example."""
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments), "--url", url]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


def result(name: str, url: str, *arguments: str | Path) -> Pixels:
    """The image that an example writes to its last argument."""
    process = run(name, url, *arguments)
    assert (process.returncode, process.stderr) == (0, "")
    return pixels(Path(arguments[-1]))


def pixels(source: Path | Image.Image) -> Pixels:
    if isinstance(source, Image.Image):
        image = source
    else:  # of an animation, Pillow would keep the file open
        image = Image.open(io.BytesIO(source.read_bytes()))
    return np.asarray(image.convert("RGB"), np.float64)


def frames(animation: Path) -> list[Pixels]:
    """The images of a GIF."""
    opened = Image.open(io.BytesIO(animation.read_bytes()))
    return [pixels(frame) for frame in ImageSequence.Iterator(opened)]


def sampled(url: str, seed: int) -> Image.Image:
    """A face that the model generates."""
    response = httpx.post(f"{url}/sample", json={"seed": seed}, timeout=60).raise_for_status()
    return Image.open(io.BytesIO(response.content)).convert("RGB")


def scene(url: str, seed: int, path: Path) -> Path:
    """A photograph with a generated face at ``FACE``, on a drawn ground."""
    ground = Image.linear_gradient("L").resize(SCENE_SIZE)
    image = Image.merge("RGB", [ground, ground.rotate(180), Image.new("L", SCENE_SIZE, 90)])
    left, top, right, bottom = FACE
    image.paste(sampled(url, seed).resize((right - left, bottom - top)), (left, top))
    image.save(path)
    return path


def portraits(identity: int) -> tuple[Portrait, Portrait]:
    """One drawn person without glasses, and with them."""
    bare, worn, _ = counterfactuals(SEED, FIRST_TEST_IDENTITY + identity)
    return bare, worn


def drawing(portrait: Portrait, path: Path) -> Path:
    path.write_bytes(png(portrait))
    return path


def difference(a: Pixels, b: Pixels, box: Box) -> float:
    """Root mean square difference inside a box, in grey levels."""
    left, top, right, bottom = box
    return float(np.sqrt(np.square(a - b)[top:bottom, left:right].mean()))


def outside(image: Pixels, box: Box, margin: int) -> Pixels:
    """The pixels ``(N, 3)`` outside a box that is larger by ``margin`` on every side."""
    left, top, right, bottom = box
    mask = np.ones(image.shape[:2], bool)
    mask[max(top - margin, 0) : bottom + margin, max(left - margin, 0) : right + margin] = False
    return image[mask]
