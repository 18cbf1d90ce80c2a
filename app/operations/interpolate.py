"""Images along a path through two or more operands."""

from collections.abc import Sequence

from app.operations.context import Context, FieldPath
from app.operations.decode import PlannedImage
from app.operations.latent_sum import mean_latent
from app.operations.operands import Operand, resolve
from vae import latent
from vae.preprocessing import Fit

# Operands whose mean is a point of the path, each with its field.
PathPoint = Sequence[tuple[FieldPath, Operand]]


async def interpolate(
    context: Context,
    points: Sequence[PathPoint],
    *,
    steps: int,
    method: latent.Method,
    easing: latent.Easing = "linear",
    fit: Fit = "crop",
    embedded: bool = True,
) -> list[PlannedImage]:
    """``steps`` images from the first point to the last, both included.

    Args:
        context: of the request.
        points: of the path, at least 2.
        steps: images, at least 2.
        method: ``slerp`` or ``lerp``, see ``vae.latent.path_through``.
        easing: of the position on the path.
        fit: how images that are not square are fitted.
        embedded: whether an image of this model is read by the latent that it carries.

    Raises:
        TooManyImagesError: if there are more steps, or operands, than one request may have.
        OperandError, ImageFileTooLargeError, decoding errors, NoFaceError: as
            ``operands.resolve``.
    """
    context.limits.check_count(max(steps, sum(map(len, points))))
    operands = [operand for point in points for operand in point]
    resolved = iter(await resolve(context, operands, fit, embedded))
    latents = [mean_latent([next(resolved) for _ in point]) for point in points]
    return list(map(PlannedImage, latent.path_through(latents, steps, method, easing)))
