"""The keyword options of each endpoint, as the service has them; what is left out has its default.

The limits are those of the service, which refuses a value beyond them with status 422.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias, TypedDict

from lorgnette_client.operands import Operand

Align: TypeAlias = Literal["auto"] | bool
Axis: TypeAlias = str | int  # name of a direction, or number of a principal axis
Easing: TypeAlias = Literal["linear", "ease-in", "ease-out", "ease-in-out"]
Fit: TypeAlias = Literal["crop", "pad", "stretch"]
Method: TypeAlias = Literal["slerp", "lerp"]
Prior: TypeAlias = Literal["fitted", "standard"]
PhotographFormat: TypeAlias = Literal["png", "webp", "jpeg", "json"]
Format: TypeAlias = PhotographFormat | Literal["gif", "apng", "zip", "npy"]


class ModelOptions(TypedDict, total=False):
    """``model``: name of one of the loaded models, or ``NAME@SHA256-12``; the first if absent."""

    model: str


class DrawingOptions(ModelOptions, total=False):
    """How images are made.

    ``detail``: 0 for the smooth image to 1 for the sharp one. ``size``: pixels a side, 32 to 1024;
    an image of another size than the model's carries no latent. ``quality``: 1 to 100, of a
    response as JPEG or WebP.
    """

    detail: float
    size: int
    quality: int


class SequenceOptions(DrawingOptions, total=False):
    """How a GIF or APNG is played.

    ``fps``: images a second, 0.1 to 50. ``loop``: how often, 0 without end. ``bounce``: forwards
    and then backwards.
    """

    fps: float
    loop: int
    bounce: bool


class AlignmentOptions(TypedDict, total=False):
    """How images that are sent are brought to the model's position and size.

    ``align``: find the face. ``face``: which of several, 1 for the largest. ``fit``: of an image
    that is not square and not aligned.
    """

    align: Align
    face: int
    fit: Fit


class OperandOptions(AlignmentOptions, total=False):
    """``embedded``: read the latent that a PNG of this model carries, instead of encoding it."""

    embedded: bool


class EncodeOptions(SequenceOptions, AlignmentOptions, total=False):
    """Of ``encode``; those of images are for a ``format`` that is an image."""


class ReconstructOptions(SequenceOptions, OperandOptions, total=False):
    """``compare``: put each original to the left of its reconstruction."""

    compare: bool


class SampleOptions(SequenceOptions, total=False):
    """What is sampled.

    ``n``: images, 1 to 64. ``seed``: of the first; the next has the next seed; random if absent.
    ``temperature``: 0 to 2, scale of the noise. ``prior``: fitted to the training set, or N(0, I).
    """

    n: int
    seed: int
    temperature: float
    prior: Prior


class PathOptions(SequenceOptions, OperandOptions, total=False):
    """Of ``interpolate``.

    ``via``: operands between the ends, which divide the path into equal parts. ``steps``: images,
    2 to 64, both ends included. ``method``: along the great circle, or straight. ``easing``: of the
    whole path.
    """

    via: Sequence[Operand]
    steps: int
    method: Method
    easing: Easing


class GridOptions(SequenceOptions, OperandOptions, total=False):
    """Of ``traverse``.

    ``across``: direction or axis of a grid, each of whose steps is a row. ``low``, ``high``: first
    and last weight, -10 to 10. ``steps``: images in a row. ``rows``: of a grid.
    """

    across: Axis
    low: float
    high: float
    steps: int
    rows: int


class ArithmeticOptions(DrawingOptions, OperandOptions, total=False):
    """How an expression edits.

    ``strength``: factor of the directions, 0 to 2, or the least that is seen. ``preserve``: 0 to 1,
    how much of the photograph is kept. ``mask``: give the mask of ``preserve`` too. ``paste``: put
    the edit back into the photograph at its full size.
    """

    strength: float | Literal["auto"]
    preserve: float
    mask: bool
    paste: bool


class InpaintOptions(SequenceOptions, AlignmentOptions, total=False):
    """Of ``inpaint``.

    ``n``: results, 1 to 64. ``seed``: of the first; the next has the next seed; random if absent.
    ``temperature``: 0 to 2, scale of the noise; 0 gives the most likely result.
    """

    n: int
    seed: int
    temperature: float


class ScoreOptions(ModelOptions, AlignmentOptions, total=False):
    """Of ``score``."""


class DirectionOptions(ModelOptions, OperandOptions, total=False):
    """What a new direction is made from.

    ``label``: a direction of which it is a special case, in place of ``negatives``. ``hold``:
    directions along which it does not go. ``meaning``: one line for those who use it.
    """

    label: str
    hold: Sequence[str]
    meaning: str


class PreviewOptions(SequenceOptions, total=False):
    """``seed``: of the sample. ``steps``: images, 2 to 64."""

    seed: int
    steps: int
