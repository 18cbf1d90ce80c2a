"""Images through the latent space and back."""

from collections.abc import Sequence

from app.operations.context import Context, image_fields
from app.operations.decode import DecodedImage, decode_latents
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
) -> list[DecodedImage]:
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
    decoded = await decode_latents(context, latents)
    if not compare:
        return decoded
    return [
        image
        for original, reconstruction in zip(originals, decoded, strict=True)
        for image in (DecodedImage(original.pixels, reconstruction.latent), reconstruction)
    ]
