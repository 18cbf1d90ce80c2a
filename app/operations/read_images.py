"""From image files to the images that a model sees: fitted to its square, or aligned by a face."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from app.images import alignment, decoding, photograph
from app.images.alignment import Transform
from app.images.decoding import InputImage
from app.operations.context import Alignment, Context, ImageField, located
from app.operations.faces import NoFaceError, SearchedPhotograph, find_faces
from vae.preprocessing import Fit

T = TypeVar("T")
R = TypeVar("R")

INLINE_FRACTION = 64  # an image that takes up to this fraction of the memory limit is decoded at
# once, while its memory is estimated

NO_FACE = (
    "no face was found; send an upright photograph of someone who faces the camera, or align=false "
    "for an image that is cropped as the model's training images are"
)


async def read_images(context: Context, images: Sequence[ImageField], fit: Fit) -> list[InputImage]:
    """Image files as the model sees them, decoded on the image threads.

    Where the request aligns images, a face is looked for in each, and moved to the position of the
    model's template. An image of this model is aligned as it is, and so is one whose face has that
    position already.

    Args:
        context: of the request.
        images: each file with its path in the request.
        fit: how images that are not aligned by a face, and not square, are fitted.

    Raises:
        ImageFileTooLargeError: if a file has too many bytes.
        ImageTooLargeError: if decoding one image, or all of them, takes too much memory.
        UnsupportedImageError, CorruptImageError: if a file is not an image that can be decoded.
        NoFaceError: if the face that an image is to be aligned by is not in it.
    """
    context.limits.check_bytes(images)
    if context.alignment is None:
        return await _read_fitted(context, images, fit)
    generated = await _read_generated(context, images)
    sent = [given for given, image in zip(images, generated, strict=True) if image is None]
    aligned = iter(await _read_aligned(context, context.alignment, sent, fit))
    return [next(aligned) if image is None else image for image in generated]


async def _read_generated(
    context: Context, images: Sequence[ImageField]
) -> list[InputImage | None]:
    """Each image that the request's model made and nobody changed; None for others."""
    limits, config = context.limits, context.model.checkpoint.model.config

    def read(data: bytes) -> InputImage | None:
        image = decoding.read_generated(
            data, config.size, config.channels, limits.max_image_pixels, limits.max_image_memory
        )
        if image is None or image.provenance is None:
            return None
        return image if image.provenance.model == context.model.id else None

    return await context.image_pool.map(located(read), images)


async def _read_aligned(
    context: Context, wanted: Alignment, images: Sequence[ImageField], fit: Fit
) -> list[InputImage]:
    """Each photograph, aligned by its face."""
    photographs = await find_faces(context, images)
    errors = [
        (path, _missing(len(found.faces), wanted.face))
        for (path, _), found in zip(images, photographs, strict=True)
        if len(found.faces) < wanted.face
    ]
    if errors:
        raise NoFaceError(errors)
    size = context.model.checkpoint.model.config.size
    transforms = [_transform(found, wanted, size, fit) for found in photographs]
    fitted = iter(
        await _read_fitted(
            context, [f for f, t in zip(images, transforms, strict=True) if t is None], fit
        )
    )
    faces = iter(
        await _read_faces(
            context,
            [
                (image, transform, found.header.face_memory)
                for image, transform, found in zip(images, transforms, photographs, strict=True)
                if transform is not None
            ],
        )
    )
    return [next(fitted if transform is None else faces) for transform in transforms]


def _transform(
    found: SearchedPhotograph, wanted: Alignment, size: int, fit: Fit
) -> Transform | None:
    """The transform that aligns a photograph; None if ``fit`` alone aligns it."""
    landmarks = np.array(found.faces[wanted.face - 1].landmarks)
    square = alignment.fitted_square(found.header.width, found.header.height, size, fit)
    if alignment.is_aligned(alignment.apply(square, landmarks), wanted.template, size):
        return None
    return alignment.similarity(landmarks, wanted.template)


def _missing(count: int, face: int) -> str:
    """What is wrong with a photograph that has too few faces."""
    if count == 0:
        return NO_FACE
    return f"{count} {'face was' if count == 1 else 'faces were'} found, and face is {face}"


async def _read_faces(
    context: Context, photographs: Sequence[tuple[ImageField, Transform, int]]
) -> list[InputImage]:
    """The aligned face of each photograph, by its transform; the memory that it takes is known."""
    limits, config = context.limits, context.model.checkpoint.model.config

    def read(item: tuple[ImageField, Transform, int]) -> InputImage:
        image, transform, _ = item
        sizes = config.size, config.channels, limits.max_image_pixels, limits.max_image_memory
        face = located(lambda data: photograph.read_face(data, transform, *sizes))(image)
        return InputImage(face, transform, None)

    return await _map_by_memory(context, read, photographs, [item[2] for item in photographs])


async def _read_fitted(
    context: Context, images: Sequence[ImageField], fit: Fit
) -> list[InputImage]:
    """Each image, fitted to the model's square.

    Memory is estimated first, so that images which are too large together are refused before one
    of them is decoded; small ones are decoded while they are at hand.
    """
    limits, config = context.limits, context.model.checkpoint.model.config
    max_memory = limits.max_image_memory

    def read(data: bytes) -> InputImage:
        return decoding.read(
            data, config.size, config.channels, fit, limits.max_image_pixels, max_memory
        )

    def estimate(data: bytes) -> tuple[int, InputImage | None]:
        memory = decoding.estimate_memory(data, config.size, limits.max_image_pixels, max_memory)
        return memory, read(data) if memory <= max_memory // INLINE_FRACTION else None

    estimates = await context.image_pool.map(located(estimate), images)
    memories = [memory for memory, _ in estimates]
    limits.check_memory(memories)
    rest = [i for i, (_, image) in enumerate(estimates) if image is None]
    decoded = iter(
        await _map_by_memory(
            context, located(read), [images[i] for i in rest], [memories[i] for i in rest]
        )
    )
    return [next(decoded) if image is None else image for _, image in estimates]


async def _map_by_memory(
    context: Context, work: Callable[[T], R], items: Sequence[T], memories: Sequence[int]
) -> list[R]:
    """The result of ``work`` for each item; of those that take much memory one at a time."""
    large = [context.limits.is_large(memory) for memory in memories]

    async def run(serial: bool) -> Iterator[R]:
        chosen = [item for item, is_large in zip(items, large, strict=True) if is_large is serial]
        return iter(await context.image_pool.map(work, chosen, serial=serial))

    small, serial = await asyncio.gather(run(False), run(True))
    return [next(serial if is_large else small) for is_large in large]
