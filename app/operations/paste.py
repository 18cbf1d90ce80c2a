"""The edit of an aligned crop, put back into the photograph at its full size."""

import numpy as np
import numpy.typing as npt
from torch import Tensor

from app.images import full_size
from app.images import paste as photograph_paste
from app.images.alignment import Transform
from app.images.encoding import Encoding, encode
from app.images.errors import ImageTooLargeError
from app.images.paste import CropEdit
from app.operations.context import Context, ImageField, Limits, located
from vae.preserve import PixelEdit


async def check_photograph(context: Context, image: ImageField, encoding: Encoding) -> None:
    """Refuse a photograph that is too large to be edited at its full size; nothing is decoded.

    Raises:
        ImageFileTooLargeError: if the file has too many bytes.
        ImageTooLargeError: if it has too many pixels for a request or for the format of the
            response, or takes more memory than a request may.
        UnsupportedImageError, CorruptImageError: as ``app.images.decoding``.
    """
    context.limits.check_bytes([image])
    work = located(lambda data: _memory(data, encoding, context.limits))
    await context.image_pool.map(work, [image])


async def paste(
    context: Context, data: bytes, transform: Transform, edit: PixelEdit, encoding: Encoding
) -> bytes:
    """The photograph with an edit, as a file.

    Its pixels are those of the photograph, upright, apart from where the mask of the edit is. A
    colour profile that fits them is kept, other metadata is not.

    Args:
        context: of the request.
        data: the file of the photograph.
        transform: from pixels of the upright photograph to pixels of the crop.
        edit: of the crop, with N = 1.
        encoding: of the result.

    Raises:
        decoding errors: as ``check_photograph``.
    """
    limits, channels = context.limits, context.model.checkpoint.model.config.channels
    sizes = limits.max_image_pixels, _max_memory(limits)
    arrays = _to_arrays(edit)

    def work(data: bytes) -> bytes:
        photograph = full_size.read(data, channels, *sizes)
        photograph_paste.apply(photograph.image, arrays, transform, photograph.colors)
        return encode(photograph.image, encoding, photograph.icc_profile)

    [memory] = await context.image_pool.map(lambda data: _memory(data, encoding, limits), [data])
    [file] = await context.image_pool.map(work, [data], serial=limits.is_large(memory))
    return file


def _memory(data: bytes, encoding: Encoding, limits: Limits) -> int:
    """Bytes that it takes to read, edit and encode a photograph, at most."""
    header = full_size.read_header(data, limits.max_image_pixels, _max_memory(limits))
    encoding.check_size(header.width, header.height)
    memory = max(header.memory, encoding.memory(header.width, header.height))
    if memory > _max_memory(limits):
        raise ImageTooLargeError(
            f"paste takes {memory} bytes for {header.width} x {header.height} pixels; the limit is "
            f"{_max_memory(limits)}; send the photograph smaller, or as JPEG"
        )
    return memory


def _max_memory(limits: Limits) -> int:
    """Bytes that the images of one request may take."""
    return 2 * limits.max_image_memory


def _to_arrays(edit: PixelEdit) -> CropEdit:
    """The edit in grey levels; what replaces is multiplied by how much it replaces."""
    color = 255 * (edit.alpha * edit.replacement + edit.added)[0]
    return CropEdit(_array(edit.alpha[0, 0]), _array(color), _array(edit.mask[0, 0]))


def _array(tensor: Tensor) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(tensor.numpy(), np.float32)
