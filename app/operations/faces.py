"""Faces in photographs: finding them, and the position to which one is aligned."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from app.images import photograph
from app.images.photograph import Header
from app.inference.engine import Pixels
from app.inference.loaded_model import LoadedModel
from app.operations.context import Alignment, FieldPath, ImageField, Resources, located
from vae.faces.detector import Face

Align = Literal["auto"] | bool


class AlignmentError(Exception):
    """A request for an alignment that the model does not have.

    Attributes:
        field: that is wrong.
    """

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field


class NoFaceError(Exception):
    """Photographs in which there is no face, or not as many as were requested.

    Attributes:
        errors: pairs of the path to a photograph and what is wrong with it.
    """

    def __init__(self, errors: Sequence[tuple[FieldPath, str]]) -> None:
        super().__init__("; ".join(dict.fromkeys(detail for _, detail in errors)))
        self.errors = list(errors)


@dataclass(frozen=True)
class SearchedPhotograph:
    """A photograph and the faces in it.

    Attributes:
        header: with its size.
        faces: the largest first, in pixels of the upright photograph.
    """

    header: Header
    faces: list[Face]


def chosen_alignment(model: LoadedModel, align: Align, face: int | None) -> Alignment | None:
    """The alignment of a request's images, None if they are not aligned.

    Args:
        model: the model that the request chose.
        align: ``auto`` aligns for a model whose checkpoint has a template.
        face: see ``Alignment``; None for the largest.

    Raises:
        AlignmentError: if ``align`` is true and the model has no template, or a face is requested
            and images are not aligned.
    """
    template = model.checkpoint.alignment_template
    if align is True and template is None:
        raise AlignmentError(
            "align", f"the model {model.name!r} has no alignment template; send align=false"
        )
    if template is None or align is False:
        if face is not None:
            raise AlignmentError("face", "face has no effect without alignment; leave it out")
        return None
    return Alignment(np.array(template, np.float64), face or 1)


async def find_faces(
    resources: Resources, images: Sequence[ImageField]
) -> list[SearchedPhotograph]:
    """The faces in each photograph.

    Raises:
        TooManyImagesError: if there are more than one request may have.
        ImageFileTooLargeError: if a file has too many bytes.
        ImageTooLargeError: if decoding one image, or all of them, takes too much memory.
        UnsupportedImageError, CorruptImageError: if a file is not an image that can be decoded.
        QueueFullError: if too many photographs wait to be searched.
    """
    limits, pool = resources.limits, resources.image_pool
    limits.check_count(len(images))
    limits.check_bytes(images)
    sizes = limits.max_image_pixels, limits.max_image_memory
    headers = await pool.map(located(lambda data: photograph.read_header(data, *sizes)), images)
    limits.check_memory([max(h.copy_memory, h.face_memory) for h in headers])

    async def read(image: ImageField, header: Header) -> Pixels:
        serial = limits.is_large(header.copy_memory)
        work = partial(photograph.read_copy, max_pixels=sizes[0], max_memory=sizes[1])
        [copy] = await pool.map(located(work), [image], serial=serial)
        return copy

    reads = [partial(read, image, header) for image, header in zip(images, headers, strict=True)]
    found = await resources.faces.find(reads, resources.timing)
    return [
        SearchedPhotograph(h, [_scaled(face, h.copy_scale) for face in faces])
        for h, faces in zip(headers, found, strict=True)
    ]


def _scaled(face: Face, scale: tuple[float, float]) -> Face:
    """A face in the pixels of the photograph, from one in the pixels of its copy."""
    x_scale, y_scale = scale
    left, top, right, bottom = face.box
    return Face(
        (x_scale * left, y_scale * top, x_scale * right, y_scale * bottom),
        face.score,
        tuple((x_scale * x, y_scale * y) for x, y in face.landmarks),
    )
