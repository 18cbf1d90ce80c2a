"""The forms of an image and of an operand, against the real service."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lorgnette_client import Seed
from lorgnette_client.operands import group_parts
from lorgnette_client.pictures import image_file
from tests.app.conftest import DIM, file, random_image

Call = Callable[..., Any]
SOURCE = random_image(3)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("images") / "image.png"
    path.write_bytes(file(SOURCE))
    return path


def test_every_form_of_an_image_is_the_same_image(call: Call, path: Path) -> None:
    with path.open("rb") as opened:
        forms = [file(SOURCE), str(path), path, opened, SOURCE, np.asarray(SOURCE)]
        found = call("encode", forms).mean
    assert found == pytest.approx(np.repeat(found[:1], len(forms), 0), abs=1e-4)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK", "YCbCr"])
def test_pillow_images_of_every_mode_are_read(call: Call, mode: str) -> None:
    image = (
        Image.fromarray(np.full((8, 8), 9, np.uint16)) if mode == "I;16" else SOURCE.convert(mode)
    )
    assert call("encode", image).mean.shape == (1, DIM)


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 3), (8, 8, 4)])
def test_arrays_of_every_shape_are_read(call: Call, shape: tuple[int, ...]) -> None:
    assert call("encode", np.full(shape, 200, np.uint8)).mean.shape == (1, DIM)


def test_a_pillow_image_is_sent_upright_and_with_its_profile() -> None:
    image = Image.new("RGB", (4, 2))
    image.getexif()[0x0112] = 6  # to be turned by 90 degrees
    image.info["icc_profile"] = b"a profile"
    sent = Image.open(io.BytesIO(image_file(image)))
    assert sent.size == (2, 4)
    assert sent.info["icc_profile"] == b"a profile"


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        (3, TypeError, "int is not an image"),
        (io.StringIO("text"), TypeError, "binary mode"),
        (np.zeros((4, 4, 3)), TypeError, "uint8, not float64"),
        (np.zeros((2, 4, 4, 3), np.uint8), ValueError, "several as a list"),
        (np.zeros((4, 4, 2), np.uint8), ValueError, "must be"),
        ([], ValueError, "one or more"),
        ("no such file", FileNotFoundError, "no such file"),
    ],
)
def test_what_is_no_image_is_refused(
    call: Call, wrong: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        call("encode", wrong)


def test_every_form_of_an_operand_is_in_one_group(call: Call) -> None:
    latent = np.arange(DIM, dtype=np.float32)
    group = [latent, Seed(4), SOURCE]
    found = call("arithmetic", "a", {"a": group}).latent
    seeded, encoded = call("sample", seed=4).latents[0], call("encode", SOURCE).mean[0]
    assert found == pytest.approx((latent + seeded + encoded) / 3, abs=1e-4)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_latents_are_sent_exactly(kind: type[np.floating[Any]]) -> None:
    latents = np.random.default_rng(0).normal(size=(2, 3)).astype(kind)
    texts = [content for _, (_, content) in group_parts("a", latents)]
    sent = [np.array(json.loads(text)["latent"]) for text in texts if isinstance(text, str)]
    assert np.array_equal(np.array(sent), latents)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ([], "a has no operand"),
        (np.zeros((1, 2, 3)), r"\(D,\) or \(N, D\)"),
        ([np.zeros((2, 3))], r"must be \(D,\)"),
    ],
)
def test_what_is_no_group_is_refused(wrong: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        group_parts("a", wrong)
