"""Images of a latent that is changed along one or two directions or principal axes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from app.inference.loaded_model import LoadedModel
from app.operations.context import Context, FieldPath
from app.operations.decode import PlannedImage
from app.operations.directions import named_directions
from app.operations.latent_sum import mean_latent
from app.operations.operands import Operand, OperandError, checked_latent, resolve
from vae.directions import Direction, apply_directions
from vae.preprocessing import Fit

AxisName = str | int  # a named direction, or the number of a principal axis


@dataclass(frozen=True)
class Traversal:
    """Where to go from a latent.

    Attributes:
        along: direction or axis; images in a row.
        across: another one, with a row for each of its steps; None for one row.
        low: first weight. Of a direction it counts mean steps from without to with, of an axis
            standard deviations.
        high: last weight.
        steps: images in a row, at least 2.
        rows: rows of images; 1 without ``across``.
    """

    along: AxisName
    across: AxisName | None
    low: float
    high: float
    steps: int
    rows: int


async def traverse(
    context: Context,
    operands: Sequence[Operand],
    traversal: Traversal,
    *,
    fit: Fit = "crop",
    embedded: bool = True,
) -> list[PlannedImage]:
    """The images of a traversal, row by row.

    Args:
        context: of the request.
        operands: one or more; it starts at the mean of their latents.
        traversal: where to go.
        fit: how images that are not square are fitted.
        embedded: whether an image of this model is read by the latent that it carries.

    Raises:
        TooManyImagesError: if there are more images, or operands, than one request may have.
        OperandError: if a direction or axis is unknown, a latent is too large, and as
            ``operands.resolve``.
        StoreError: if a direction may be a saved one, and the database does not work.
        ImageFileTooLargeError, decoding errors, NoFaceError: as ``operands.resolve``.
    """
    count = traversal.steps * traversal.rows
    context.limits.check_count(max(count, len(operands)))
    names = [name for name in (traversal.along, traversal.across) if isinstance(name, str)]
    directions = await named_directions(context.model.checkpoint, context.store, names)
    along = _axis(context.model, directions, "along", traversal.along)
    across = None
    if traversal.across is not None:
        across = _axis(context.model, directions, "across", traversal.across)
    fields: list[tuple[FieldPath, Operand]] = [
        (("operand", i), operand) for i, operand in enumerate(operands)
    ]
    start = mean_latent(await resolve(context, fields, fit, embedded))
    columns = torch.linspace(traversal.low, traversal.high, traversal.steps).tolist()
    rows = [0.0]
    if across is not None:
        rows = torch.linspace(traversal.low, traversal.high, traversal.rows).tolist()
    return [
        PlannedImage(_moved(start, [(weight, along), (row, across)]))
        for row in rows
        for weight in columns
    ]


def _axis(
    model: LoadedModel, directions: Mapping[str, Direction], field: str, name: AxisName
) -> Direction | Tensor:
    """The named direction, or the principal axis ``(D,)``.

    Raises:
        OperandError: at ``field`` if there is none.
    """
    if isinstance(name, str):
        if name in directions:
            return directions[name]
        known = ", ".join(directions) or "none"
        raise OperandError(
            (field,),
            f"{name!r} is no direction of this model (directions: {known}); or send the number of "
            f"a principal axis, 1 to {model.dim}",
        )
    if not 1 <= name <= model.dim:
        raise OperandError((field,), f"this model has the principal axes 1 to {model.dim}")
    return model.checkpoint.statistics.principal_axes[name - 1]


def _moved(start: Tensor, moves: Sequence[tuple[float, Direction | Tensor | None]]) -> Tensor:
    """The latent after all moves: directions as in an expression, axes added.

    Raises:
        OperandError: if it is too large.
    """
    edits = [(weight, axis) for weight, axis in moves if isinstance(axis, Direction)]
    z = apply_directions(start, edits)
    for weight, axis in moves:
        if isinstance(axis, Tensor):
            z = z + weight * axis
    return checked_latent(z.tolist(), len(start), ("operand",))
