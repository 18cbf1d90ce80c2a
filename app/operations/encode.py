"""From images to posteriors."""

from collections.abc import Sequence

from app.inference.engine import Posterior
from app.operations.context import Context, image_fields
from app.operations.read_images import read_images
from vae.preprocessing import Fit


async def encode(context: Context, files: Sequence[bytes], fit: Fit) -> list[Posterior]:
    """The posterior of each image file; always from the pixels, never from what a file carries.

    Raises:
        TooManyImagesError: if there are more than one request may have.
        ImageFileTooLargeError, decoding errors, NoFaceError: as ``read_images``.
    """
    context.limits.check_count(len(files))
    images = await read_images(context, image_fields(files), fit)
    return await context.model.encoder.run([image.pixels for image in images], context.timing)
