import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from app.images import alignment
from app.images.alignment import Points, Transform
from vae.preprocessing import EXIF_TRANSPOSES, Fit, to_square

TEMPLATE = np.array([[77, 74], [176, 75], [126, 134], [81, 177], [173, 177.0]])
FITS: tuple[Fit, ...] = ("crop", "pad", "stretch")


def turn(degrees: float, scale: float, shift: tuple[float, float]) -> Transform:
    angle = np.deg2rad(degrees)
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([matrix, shift])


@pytest.mark.parametrize("degrees", [0, 30, 170, -90])
def test_a_similarity_is_recovered(degrees: float) -> None:
    transform = turn(degrees, 0.37, (40, -12))
    found = alignment.similarity(TEMPLATE, alignment.apply(transform, TEMPLATE))
    assert np.allclose(found, transform)


def test_no_other_similarity_is_closer() -> None:
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(2, 5, 2))
    best = alignment.similarity(source, target)

    def error(transform: Transform) -> float:
        return float(((alignment.apply(transform, source) - target) ** 2).sum())

    scale, angle = np.hypot(*best[:, 0]), np.rad2deg(np.arctan2(best[1, 0], best[0, 0]))
    shift = (best[0, 2], best[1, 2])
    assert np.isclose(error(turn(angle, scale, shift)), error(best))
    for change in (-0.01, 0.01):
        others = [
            turn(angle + 50 * change, scale, shift),
            turn(angle, scale + change, shift),
            turn(angle, scale, (shift[0] + change, shift[1])),
            turn(angle, scale, (shift[0], shift[1] + change)),
        ]
        assert all(error(other) > error(best) for other in others)


def test_a_mirrored_face_is_not_mirrored_back() -> None:
    mirrored = TEMPLATE * [-1, 1]
    assert np.linalg.det(alignment.similarity(TEMPLATE, mirrored)[:, :2]) > 0


def test_transforms_compose_and_invert() -> None:
    first, second = turn(20, 2, (3, 4)), turn(-50, 0.3, (7, -8))
    points = np.random.default_rng(1).normal(size=(6, 2))
    both = alignment.compose(second, first)
    by_turns = alignment.apply(second, alignment.apply(first, points))
    assert np.allclose(alignment.apply(both, points), by_turns)
    there = alignment.apply(first, points)
    assert np.allclose(alignment.apply(alignment.inverse(first), there), points)


def dot(size: tuple[int, int], centre: tuple[float, float]) -> Image.Image:
    """A black image with a soft white dot, and white margins wherever it is padded."""
    y, x = np.mgrid[: size[1], : size[0]] + 0.5
    distance = np.hypot(x - centre[0], y - centre[1])
    return Image.fromarray((255 * (1 - distance / 12).clip(0)).astype(np.uint8))


def centroid(pixels: Points) -> Points:
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]] + 0.5
    return np.array([(x * pixels).sum(), (y * pixels).sum()], np.float64) / float(pixels.sum())


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", [(200, 120), (120, 200), (150, 150), (777, 500)])
def test_the_fitted_square_is_that_of_the_preprocessing(size: tuple[int, int], fit: Fit) -> None:
    centre = size[0] / 2 + 14.0, size[1] / 2 - 9.0
    square = to_square(dot(size, centre), 64, 1, fit)[:, :, 0].astype(float)
    expected = alignment.apply(alignment.fitted_square(*size, 64, fit), np.array([centre]))[0]
    x, y = expected.round().astype(int)
    square[:, : x - 9] = square[:, x + 9 :] = square[: y - 9] = square[y + 9 :] = 0
    assert np.allclose(centroid(square), expected, atol=0.6)  # margins are whole pixels


@pytest.mark.parametrize("transpose", [None, *EXIF_TRANSPOSES.values()])
def test_upright_is_where_the_transpose_takes_a_point(transpose: Image.Transpose | None) -> None:
    stored, centre = dot((90, 50), (30.0, 18.0)), np.array([[30.0, 18.0]])
    image = stored if transpose is None else stored.transpose(transpose)
    fractions = alignment.apply(alignment.upright(transpose, 90, 50), centre)[0]
    found = centroid(np.asarray(image, np.float64))
    assert np.allclose(fractions * image.size, found, atol=0.1)
    assert (transpose in alignment.SWAPPING) == (image.size == (50, 90))


def test_small_deviations_of_position_and_any_proportions_are_aligned() -> None:
    assert alignment.is_aligned(TEMPLATE, TEMPLATE, 256)
    assert alignment.is_aligned(alignment.apply(turn(4, 1.03, (0, -5)), TEMPLATE), TEMPLATE, 256)
    longer = TEMPLATE + np.array([[0, -6], [0, -6], [0, 0], [0, 6], [0, 6]])
    assert alignment.is_aligned(longer, TEMPLATE, 256)


@pytest.mark.parametrize(
    "transform", [turn(12, 1, (0, 0)), turn(0, 1.3, (0, 0)), turn(0, 1, (20, 0))], ids=str
)
def test_larger_deviations_are_not(transform: Transform) -> None:
    assert not alignment.is_aligned(alignment.apply(transform, TEMPLATE), TEMPLATE, 256)


@pytest.mark.parametrize("transpose", [None, *EXIF_TRANSPOSES.values()])
@pytest.mark.parametrize("fit", FITS)
def test_a_turned_image_is_fitted_where_it_is(transpose: Image.Transpose | None, fit: Fit) -> None:
    """A dot in the photograph is where the transform says, also in an odd number of margins."""
    size, width, height = 64, 300, 190  # 41 rows of 64, so margins of 11 and 12
    stored = Image.new("L", (width, height))
    stored.paste(255, (150, 60, 170, 80))
    upright = stored if transpose is None else stored.transpose(transpose)
    square = to_square(stored, size, 1, fit)[..., 0].astype(float)
    if fit == "pad":
        square[square.min(1) == 255] = 0
    seen = Image.fromarray(square.astype(np.uint8))
    seen = seen if transpose is None else seen.transpose(transpose)
    transform = alignment.fitted_upright(transpose, width, height, size, fit)
    centre = alignment.apply(transform, _centre(np.asarray(upright))[None])[0]
    assert np.abs(centre - _centre(np.asarray(seen))).max() < 0.1


def _centre(image: npt.NDArray[np.uint8]) -> alignment.Points:
    y, x = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    weights = image / image.sum()
    return np.array([(x * weights).sum(), (y * weights).sum()])
