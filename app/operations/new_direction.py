"""A direction that a user makes of two groups of images, or of one group and a direction."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from app.operations.context import Context
from app.operations.directions import check_name
from app.operations.operands import Operand, OperandError, resolve
from app.store.directions import SavedDirection
from vae.checkpoint import Checkpoint
from vae.contrast import contrast_direction
from vae.directions import Direction, within_label_subspace
from vae.preprocessing import Fit

# What two groups of people differ in by chance, as usual labels name it.
HELD_BY_DEFAULT = ("age", "male", "young")
MIN_LENGTH = 1e-3  # of a direction, in standard deviations of the latents along it


@dataclass(frozen=True)
class Groups:
    """What a new direction is made from.

    Attributes:
        positives: images, latents or seeds with the property.
        negatives: without it; empty with ``label``.
        label: direction of the checkpoint of which the new one is a special case: of ``glasses``,
            one frame. None with ``negatives``.
        hold: directions of the checkpoint along which the new one does not go; None holds those of
            ``HELD_BY_DEFAULT`` that there are. Only with ``negatives``.
    """

    positives: Sequence[Operand]
    negatives: Sequence[Operand] = ()
    label: str | None = None
    hold: Sequence[str] | None = None


async def save_direction(
    context: Context, name: str, meaning: str | None, groups: Groups, fit: Fit, embedded: bool
) -> tuple[Direction, bool]:
    """Make a direction from groups of operands and save it; and whether its name is new.

    Args:
        context: of the request.
        name: of the direction.
        meaning: one line for users; None for a general one.
        groups: see ``Groups``.
        fit: how images that are not square are fitted.
        embedded: whether an image of this model is read by the latent that it carries.

    Raises:
        CheckpointDirectionError: if the checkpoint has a direction of this name.
        OperandError: if the groups do not make a direction.
        TooManyImagesError, ImageFileTooLargeError, decoding errors, NoFaceError: as ``resolve``.
        TooManyDirectionsError, StoreError: as ``DirectionStore.save``.
    """
    check_name(context.model.checkpoint, name)
    _check_groups(context.model.checkpoint, groups)
    context.limits.check_count(len(groups.positives) + len(groups.negatives))
    with_latents, without_latents = await _latents(context, groups, fit, embedded)
    direction = _made(context.model.checkpoint, groups, with_latents, without_latents, meaning)
    subspace = direction.within_label
    saved = SavedDirection(
        name=name,
        vector=tuple(direction.vector.tolist()),
        meaning=direction.meaning,
        method=direction.method,
        images=direction.count,
        subspace_rows=() if subspace is None else tuple(subspace.rows.flatten().tolist()),
        subspace_centre=() if subspace is None else tuple(subspace.centre.tolist()),
    )
    created = await context.store.save(context.model.checkpoint.sha256, saved)
    return direction, created


def _check_groups(checkpoint: Checkpoint, groups: Groups) -> None:
    """Refuse groups that make no direction before their images are read.

    Raises:
        OperandError: for the first field that is wrong.
    """
    own = checkpoint.directions
    if groups.label is None:
        if not groups.negatives:
            raise OperandError(
                ("without",),
                "send the same or others without it; or name in label the direction of the model "
                "of which this is a special case",
            )
        if unknown := [name for name in groups.hold or () if name not in own]:
            raise OperandError(
                ("hold",),
                f"{unknown[0]!r} is no direction of the checkpoint ({', '.join(own) or 'none'})",
            )
        return
    if groups.negatives or groups.hold is not None:
        field = "without" if groups.negatives else "hold"
        raise OperandError((field,), f"label takes the place of {field}; send one of the two")
    special = [name for name, direction in own.items() if direction.within_label is not None]
    if groups.label not in special:
        raise OperandError(
            ("label",),
            f"{groups.label!r} is no direction with a within-label subspace "
            f"({', '.join(special) or 'this model has none'})",
        )


async def _latents(
    context: Context, groups: Groups, fit: Fit, embedded: bool
) -> tuple[Tensor, Tensor]:
    """``(N, D)`` with and ``(M, D)`` without, all resolved together; M may be 0."""
    operands = [
        *((("with", i), operand) for i, operand in enumerate(groups.positives)),
        *((("without", i), operand) for i, operand in enumerate(groups.negatives)),
    ]
    resolved = await resolve(context, operands, fit, embedded)
    latents = torch.stack([operand.latent for operand in resolved])
    count = len(groups.positives)
    return latents[:count], latents[count:]


def _made(
    checkpoint: Checkpoint,
    groups: Groups,
    with_latents: Tensor,
    without_latents: Tensor,
    meaning: str | None,
) -> Direction:
    """The direction of these latents.

    Raises:
        OperandError: if the groups hardly differ.
    """
    own, count = checkpoint.directions, len(with_latents) + len(without_latents)
    if groups.label is not None:
        exemplar = own[groups.label].of(with_latents.mean(0))
        return Direction(
            vector=exemplar.vector + exemplar.residual,
            meaning=meaning or f"{groups.label} like those of {count} images",
            method=f"{groups.label}, and its within-label subspace at the mean of the images",
            count=count,
        )
    hold = [name for name in HELD_BY_DEFAULT if name in own]
    if groups.hold is not None:
        hold = list(dict.fromkeys(groups.hold))
    dim = with_latents.shape[1]
    held = torch.stack([own[name].vector for name in hold]) if hold else torch.zeros(0, dim)
    covariance = checkpoint.statistics.covariance
    vector = contrast_direction(with_latents, without_latents, held, covariance)
    if vector.norm() < MIN_LENGTH * covariance.diagonal().sum().sqrt():
        raise OperandError(("with",), "the two groups have the same mean; they make no direction")
    return Direction(
        vector=vector,
        meaning=meaning or f"from {len(without_latents)} images to {len(with_latents)} images",
        method="difference of means" + (f", {', '.join(hold)} held" if hold else ""),
        count=count,
        within_label=within_label_subspace(with_latents, without_latents),
    )
