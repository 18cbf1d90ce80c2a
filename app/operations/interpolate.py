"""Images along a path between two operands."""

from app.operations.context import Context
from app.operations.decode import PlannedImage
from app.operations.operands import Operand, resolve
from vae import latent
from vae.preprocessing import Fit


async def interpolate(
    context: Context,
    start: Operand,
    end: Operand,
    *,
    steps: int,
    method: latent.Method,
    fit: Fit = "crop",
    embedded: bool = True,
) -> list[PlannedImage]:
    """``steps`` images from ``start`` to ``end``, both included.

    Args:
        context: of the request.
        start: first end of the path.
        end: last end of the path.
        steps: images, at least 2.
        method: ``slerp`` or ``lerp``, see ``vae.latent.path``.
        fit: how images that are not square are fitted.
        embedded: whether an image of this model is read by the latent that it carries.

    Raises:
        TooManyImagesError: if there are more steps than one request may have images.
        OperandError, ImageFileTooLargeError, decoding errors, NoFaceError: as
            ``operands.resolve``.
    """
    context.limits.check_count(steps)
    operands = [(("start",), start), (("end",), end)]
    first, last = await resolve(context, operands, fit, embedded)
    z = latent.path(first.latent, last.latent, steps, method)
    return list(map(PlannedImage, z))
