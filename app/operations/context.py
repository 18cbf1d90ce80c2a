"""What an operation works with: a model, image threads, limits, timing and alignment."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

from app.images.alignment import Points
from app.images.errors import ImageError, ImageTooLargeError
from app.inference.face_finder import FaceFinder
from app.inference.registry import LoadedModel
from app.observability.timing import Timing
from app.settings import Settings
from app.store.directions import DirectionStore

T = TypeVar("T")
R = TypeVar("R")

SERIAL_FRACTION = 8  # of the memory limit: an image that takes more is large
FieldPath = tuple[str | int, ...]  # to a field of a request: ("operands", "her", 0, "latent")
ImageField = tuple[FieldPath, bytes]  # an image file and its path in the request


class TooManyImagesError(Exception):
    """A request has more images or latents than one request may have."""


class ImageFileTooLargeError(ImageError):
    """An image file has more bytes than are accepted."""


class DetailError(Exception):
    """Detail was requested of a model that has no detail branch."""


def located(read: Callable[[bytes], R]) -> Callable[[ImageField], R]:
    """Reads an image with its path; an ``ImageError`` of ``read`` gets the path."""

    def read_at(image: ImageField) -> R:
        path, data = image
        try:
            return read(data)
        except ImageError as error:
            error.path = path
            raise

    return read_at


def image_fields(files: Sequence[bytes]) -> list[ImageField]:
    """The files of the field ``image``, each with its path in the request."""
    return [(("image", i), data) for i, data in enumerate(files)]


class ImageRunner(Protocol):
    """Runs image work on threads, as ``app.inference.image_pool.ImagePool`` does."""

    def run(self, work: Callable[[], R]) -> Awaitable[R]:
        """The result of ``work``."""

    def map(
        self, work: Callable[[T], R], items: Sequence[T], *, serial: bool = False
    ) -> Awaitable[list[R]]:
        """The result of ``work`` for each item, in order; ``serial`` for images that are large."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may contain.

    Attributes:
        max_images: images or latents, read or made.
        max_image_bytes: size of an image file.
        max_image_pixels: width times height of an image.
        max_image_memory: bytes to decode one image; all images of a request may take twice as much.
    """

    max_images: int
    max_image_bytes: int
    max_image_pixels: int
    max_image_memory: int

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The limits that the settings set."""
        return cls(
            max_images=settings.max_images,
            max_image_bytes=settings.max_image_bytes,
            max_image_pixels=settings.max_image_pixels,
            max_image_memory=settings.max_image_memory,
        )

    def check_count(self, count: int) -> None:
        """Refuse a request for more images than are allowed.

        Raises:
            TooManyImagesError: if ``count`` is over ``max_images``.
        """
        if count > self.max_images:
            raise TooManyImagesError(
                f"{count} images or latents; one request may have {self.max_images}"
            )

    def check_bytes(self, images: Sequence[ImageField]) -> None:
        """Refuse an image file that is too large.

        Raises:
            ImageFileTooLargeError: if one has more than ``max_image_bytes``.
        """
        for path, data in images:
            if len(data) > self.max_image_bytes:
                error = ImageFileTooLargeError(
                    f"an image has {len(data)} bytes; at most {self.max_image_bytes} are accepted"
                )
                error.path = path
                raise error

    def check_memory(self, estimates: Sequence[int]) -> None:
        """Refuse images that are too large together.

        Raises:
            ImageTooLargeError: if decoding all of them takes more than a request may.
        """
        total = sum(estimates)
        if total > 2 * self.max_image_memory:
            raise ImageTooLargeError(
                f"decoding these images takes {total} bytes; one request may take "
                f"{2 * self.max_image_memory}; send fewer images at a time"
            )

    def is_large(self, memory: int) -> bool:
        """Whether an image is decoded while no other large one is, by the bytes that it takes."""
        return memory > self.max_image_memory // SERIAL_FRACTION


@dataclass(frozen=True, slots=True)
class Alignment:
    """How the faces in a request's images are aligned.

    Attributes:
        template: landmarks ``(5, 2)`` of an aligned image, in its pixels.
        face: which face of a photograph: 1 for the largest, 2 for the second, and so on.
    """

    template: Points
    face: int = 1


@dataclass(frozen=True, slots=True)
class Resources:
    """What every operation of one request works with.

    Attributes:
        image_pool: decodes image files.
        limits: of the request.
        timing: filled in by the batchers.
        faces: finds faces in photographs.
    """

    image_pool: ImageRunner
    limits: Limits
    timing: Timing
    faces: FaceFinder


@dataclass(frozen=True, slots=True)
class Context(Resources):
    """What an operation that runs a model works with.

    Attributes:
        model: the model that the request chose.
        detail: of the images that the model makes, see ``chosen_detail``.
        alignment: of the images that are sent; None if they are not aligned.
        store: of the directions that users saved.
    """

    model: LoadedModel
    detail: float
    alignment: Alignment | None
    store: DirectionStore


def chosen_detail(model: LoadedModel, requested: float | None) -> float:
    """The detail of a request's images: 0 for the least-squares image, 1 for the sharp one.

    Args:
        model: the model that the request chose.
        requested: in [0, 1]; None for the most that the model has.

    Raises:
        DetailError: if the model has no detail branch and more than 0 is requested.
    """
    if requested is None:
        return model.max_detail
    if requested > model.max_detail:
        raise DetailError(
            f"the model {model.name!r} has no detail branch; send detail=0, or leave detail out"
        )
    return requested
