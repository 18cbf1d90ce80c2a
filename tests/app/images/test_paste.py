"""An edit of a crop, applied to the photograph that it was cut from."""

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from app.images import alignment
from app.images.alignment import Transform
from app.images.paste import CropEdit, apply
from tests.app.conftest import Pixels, random_image
from tests.app.pasted import distances
from vae.preprocessing import to_square

SIZE = 64


def disc(value: float = 1.0) -> npt.NDArray[np.float32]:
    """``value`` within a disc in the middle of the crop, with a soft edge, and 0 around it."""
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    distance = np.hypot(x - SIZE / 2, y - SIZE / 2)
    return np.asarray(value * np.clip((20 - distance) / 6, 0, 1), np.float32)


def crop_edit(alpha: float, color: float, channels: int = 3) -> CropEdit:
    return CropEdit(disc(alpha), np.stack(channels * [disc(color)]), disc())


def turned(degrees: float, scale: float, centre: tuple[float, float]) -> Transform:
    """The transform that takes ``centre`` to the middle of the crop."""
    angle = np.deg2rad(degrees)
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([matrix, SIZE / 2 - matrix @ np.array(centre)])


def applied(image: Image.Image, edit: CropEdit, transform: Transform) -> Pixels:
    changed = image.copy()
    apply(changed, edit, transform)
    return np.asarray(changed)


@pytest.mark.parametrize("scale", [0.08, 0.5, 1.0, 1.7, 6.0])
@pytest.mark.parametrize("degrees", [0, 25, -140])
def test_the_edit_is_where_the_transform_has_it(scale: float, degrees: float) -> None:
    centre = 351.3, 290.6
    image = random_image(3, (700, 600)).point(lambda level: 60 + level // 2)
    transform = turned(degrees, scale, centre)
    before, after = np.asarray(image).astype(int), applied(image, crop_edit(0, 50), transform)
    change = (after - before).mean(2)
    radius = distances(image.size[::-1], centre) * scale
    expected = 50 * np.clip((20 - radius) / 6, 0, 1)
    pixel = scale + 1.5  # a pixel of the photograph and of the crop, in those of the crop
    flat = (radius < 14 - pixel) | (radius > 20 + pixel)
    assert np.abs(change - expected)[flat].max(initial=0) <= 0.5
    assert (after == before)[radius > 20 + pixel].all()
    assert change.sum() == pytest.approx(expected.sum(), rel=0.03)


def test_alpha_replaces() -> None:
    image = random_image(4, (300, 300))
    after = applied(image, crop_edit(1.0, 200), turned(10, 0.4, (150, 150)))
    inner = distances(image.size[::-1], (150, 150)) * 0.4 < 12
    assert (after[inner] == 200).all()
    half = applied(image, crop_edit(0.5, 100), turned(10, 0.4, (150, 150)))
    expected = np.asarray(image).astype(float) / 2 + 100
    assert np.abs(half - expected)[inner].max() <= 0.51


def test_an_edit_of_a_crop_at_the_same_scale_is_exact() -> None:
    image = random_image(5, (200, 150))
    edit = crop_edit(0.3, 40)
    after = applied(image, edit, np.array([[1, 0, -70.0], [0, 1, -50.0]]))
    part = np.asarray(image)[50 : 50 + SIZE, 70 : 70 + SIZE].astype(np.float32)
    expected = (1 - edit.alpha[..., None]) * part + np.moveaxis(edit.color, 0, 2)
    whole = np.asarray(image).copy()
    whole[50 : 50 + SIZE, 70 : 70 + SIZE] = expected.round().clip(0, 255)
    assert np.abs(after.astype(int) - whole).max() <= 1
    assert (after == whole).mean() > 0.999


def test_an_edit_beyond_the_edge_is_cut_off() -> None:
    image = random_image(6, (1100, 90))
    for centre in ((0.0, 0.0), (1100.0, 90.0), (550.0, 0.0)):
        after = applied(image, crop_edit(1.0, 255), turned(30, 1, centre))
        near = distances(image.size[::-1], centre) < 12
        assert (after[near] == 255).all()
        assert near.any()
    away = applied(image, crop_edit(1.0, 255), turned(0, 1, (-500, 40)))
    assert np.array_equal(away, np.asarray(image))


def test_a_grey_photograph_is_edited() -> None:
    image = random_image(7, (90, 80)).convert("L")
    after = applied(image, crop_edit(1.0, 9, channels=1), turned(0, 1, (45, 40)))
    assert (after[distances(image.size[::-1], (45, 40)) < 12] == 9).all()


def test_no_mask_changes_nothing() -> None:
    image = random_image(8, (90, 80))
    edit = CropEdit(disc(1.0), np.stack(3 * [disc(200)]), np.zeros((SIZE, SIZE), np.float32))
    assert np.array_equal(applied(image, edit, turned(5, 0.7, (45, 40))), np.asarray(image))


def test_fine_detail_is_averaged_where_the_photograph_is_small() -> None:
    image = Image.new("RGB", (40, 40), "grey")
    color = np.zeros((3, SIZE, SIZE), np.float32)
    color[:, ::4] = 100  # a row in four: 25 on average
    edit = CropEdit(np.zeros((SIZE, SIZE), np.float32), color, np.ones((SIZE, SIZE), np.float32))
    after = applied(image, edit, turned(20, 4, (20, 20)))
    change = after.astype(int) - np.asarray(image)
    inner = distances(image.size[::-1], (20, 20)) * 4 < 20
    assert np.abs(change[inner] - 25).max() <= 3


def test_an_edit_of_the_whole_crop_fades_out_within_the_photograph() -> None:
    ones = np.ones((SIZE, SIZE), np.float32)
    edit = CropEdit(ones, 255 * np.stack(3 * [ones]), ones)
    image = Image.new("RGB", (400, 200))
    after = applied(image, edit, alignment.fitted_square(400, 200, SIZE, "crop"))[..., 0]
    steps = np.abs(np.diff(after.astype(int), axis=1))
    assert steps.max() < 60
    assert after[:, :100].max() == 0
    assert after[:, 120:280].min() == 255  # to the top and the bottom, where the photograph ends


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("size", [(300, 200), (50, 90), (64, 64), (80, 400)])
def test_the_transform_of_a_fitted_image_takes_the_crop_back(
    fit: str, size: tuple[int, int]
) -> None:
    """A photograph replaced by its own crop is the photograph, but softer."""
    y, x = np.mgrid[: size[1], : size[0]]
    smooth = np.stack([255 * x / size[0], 255 * y / size[1], 128 + 0 * x], 2).astype(np.uint8)
    image = Image.fromarray(smooth)
    crop = to_square(image, SIZE, 3, fit)  # type: ignore[arg-type]
    ones = np.ones((SIZE, SIZE), np.float32)
    edit = CropEdit(ones, np.moveaxis(crop, 2, 0).astype(np.float32), ones)
    transform = alignment.fitted_square(*size, SIZE, fit)  # type: ignore[arg-type]
    after = applied(image, edit, transform).astype(int)
    step = 255 / min(*size, SIZE)  # a pixel of the coarser of the two
    edge = 2 + max(size) // 20  # where the crop may have white margins, or ends
    assert np.abs(after - smooth)[edge:-edge, edge:-edge].max() <= 0.75 * step + 2
