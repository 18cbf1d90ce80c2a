"""Images through the latent space and back."""

from collections.abc import Sequence

from app.operations.context import Context, image_fields
from app.operations.decode import PlannedImage
from app.operations.operands import encode_images
from app.operations.read_images import read_images
from vae.preprocessing import Fit


async def reconstruct(
    context: Context,
    files: Sequence[bytes],
    *,
    fit: Fit = "crop",
    embedded: bool = True,
    compare: bool = False,
) -> list[PlannedImage]:
    """Each image file, encoded and decoded again.

    Args:
        context: of the request.
        files: image files.
        fit: how images that are not square are fitted.
        embedded: whether an image of this model is read by the latent that it carries.
        compare: put each original in front of its reconstruction.

    Raises:
        TooManyImagesError: if there are more than one request may have.
        ImageFileTooLargeError, decoding errors, NoFaceError: as ``read_images``.
    """
    context.limits.check_count(len(files))
    originals = await read_images(context, image_fields(files), fit)
    latents = await encode_images(context, originals, embedded)
    if not compare:
        return list(map(PlannedImage, latents))
    return [
        image
        for original, z in zip(originals, latents, strict=True)
        for image in (PlannedImage(z, pixels=original.pixels), PlannedImage(z))
    ]
