"""What the service responds with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image


@dataclass(frozen=True, eq=False)
class Posteriors:
    """The encoder's posteriors of N images.

    Attributes:
        mean: ``(N, D)`` float32.
        logvar: ``(N, D)`` float32, natural logarithm of the variance.
        model: ``NAME@SHA256-12``.
    """

    mean: npt.NDArray[np.float32]
    logvar: npt.NDArray[np.float32]
    model: str


@dataclass(frozen=True, eq=False)
class Images:
    """N images.

    Attributes:
        images: as Pillow images.
        files: as PNGs, each with its latent; sent again, it is not encoded anew.
        latents: ``(N, D)`` float32.
        seeds: of samples, else empty.
        model: ``NAME@SHA256-12``.
        detail: 0..1, with which they were made.
    """

    images: tuple[Image.Image, ...]
    files: tuple[bytes, ...]
    latents: npt.NDArray[np.float32]
    seeds: tuple[int, ...]
    model: str
    detail: float


@dataclass(frozen=True, eq=False)
class Edit:
    """The image of an expression, or the edited photograph.

    Attributes:
        image: as a Pillow image.
        file: as a PNG.
        latent: ``(D,)`` float32.
        strength: that was chosen; None without ``strength="auto"``.
        mask: grey, black where nothing changes; None without ``mask=True``.
        model: ``NAME@SHA256-12``.
        detail: 0..1, with which it was made.
    """

    image: Image.Image
    file: bytes
    latent: npt.NDArray[np.float32]
    strength: float | None
    mask: Image.Image | None
    model: str
    detail: float


@dataclass(frozen=True)
class Score:
    """How well the model explains an image.

    Attributes:
        mse: mean squared error of the reconstruction, of pixels 0..1.
        distortion_nats: negative log-likelihood of the pixels.
        kl_nats: KL of the posterior to the prior.
        elbo_nats: evidence lower bound, minus the sum of the two.
        percentile: of images like the training set's, how many have a higher bound, 0..100: near
            100 the image is unusual. None where the model does not know it.
    """

    mse: float
    distortion_nats: float
    kl_nats: float
    elbo_nats: float
    percentile: float | None


@dataclass(frozen=True)
class Scores:
    """The scores of N images.

    Attributes:
        scores: in the order of the images.
        model: ``NAME@SHA256-12``.
    """

    scores: tuple[Score, ...]
    model: str


@dataclass(frozen=True)
class Landmarks:
    """Points of a face, each x and y in pixels; left and right are as seen in the image."""

    left_eye: tuple[float, float]
    right_eye: tuple[float, float]
    nose: tuple[float, float]
    left_mouth_corner: tuple[float, float]
    right_mouth_corner: tuple[float, float]


@dataclass(frozen=True)
class Face:
    """A face in a photograph.

    Attributes:
        box: left, top, right and bottom in pixels; it may reach over the edges.
        score: 0..1.
        landmarks: its points.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: Landmarks


@dataclass(frozen=True)
class Photograph:
    """The faces in a photograph.

    Attributes:
        width: in pixels, of the upright photograph.
        height: likewise.
        faces: the largest first.
    """

    width: int
    height: int
    faces: tuple[Face, ...]


@dataclass(frozen=True)
class Direction:
    """A named direction of a model.

    Attributes:
        name: as in expressions.
        saved: by a user, and not a part of the checkpoint.
        meaning: in a line.
        scale: length of one mean step from without to with.
        method: by which it was made.
        count: images it was made from.
        kinds: axes along which images with the label differ and others do not.
    """

    name: str
    saved: bool
    meaning: str
    scale: float
    method: str
    count: int
    kinds: int


@dataclass(frozen=True)
class Directions:
    """The named directions of a model.

    Attributes:
        model: ``NAME@SHA256-12``.
        complete: False while the database of saved directions does not respond.
        directions: those of the checkpoint, then the saved ones.
    """

    model: str
    complete: bool
    directions: tuple[Direction, ...]


@dataclass(frozen=True)
class Classifier:
    """The auxiliary classifier of a model.

    Attributes:
        sha256: of its file.
        labels: that it knows.
        accuracy: on test images, by label, 0..1.
    """

    sha256: str
    labels: tuple[str, ...]
    accuracy: Mapping[str, float]


@dataclass(frozen=True)
class ModelInfo:
    """A loaded model.

    Attributes:
        name: for the option ``model``.
        id: ``NAME@SHA256-12``.
        sha256: of the checkpoint.
        device: that runs it.
        config: of its network; ``size``, ``channels`` and ``latent_dim`` among others.
        parameters: their number.
        max_detail: of its images.
        alignment_template: five points ``(x, y)`` in pixels of an aligned face; None if it does not
            align.
        auxiliary_classifier: None if it has none.
        labels: of its training set.
        directions: names of the checkpoint's directions.
        metrics: of the checkpoint.
        provenance: of the checkpoint: data and licence among others.
    """

    name: str
    id: str
    sha256: str
    device: str
    config: Mapping[str, Any]
    parameters: int
    max_detail: float
    alignment_template: tuple[tuple[float, float], ...] | None
    auxiliary_classifier: Classifier | None
    labels: tuple[str, ...]
    directions: tuple[str, ...]
    metrics: Mapping[str, Any]
    provenance: Mapping[str, Any]


@dataclass(frozen=True)
class Reload:
    """What came of loading a model again.

    Attributes:
        outcome: ``reloaded``, or ``unchanged`` if its files are those that were loaded.
        former: ``NAME@SHA256-12`` before.
        workers: processes that serve the model now.
        model: that serves now.
    """

    outcome: str
    former: str
    workers: int
    model: ModelInfo
