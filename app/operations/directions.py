"""The named directions of a model: those of its checkpoint, and those that users saved."""

from collections.abc import Iterable

import torch

from app.operations.context import Context
from app.operations.decode import PlannedImage
from app.store.directions import DirectionStore, SavedDirection
from vae.checkpoint import Checkpoint
from vae.directions import Direction, WithinLabelSubspace

PREVIEW_REACH = 2.0


class UnknownDirectionError(Exception):
    """The model has no direction of this name."""


class CheckpointDirectionError(Exception):
    """A direction of the checkpoint, which requests cannot change."""


async def all_directions(
    checkpoint: Checkpoint, store: DirectionStore
) -> dict[str, tuple[Direction, bool]]:
    """Every direction of a model by name, and whether it was saved.

    Raises:
        StoreError: if the database does not work.
    """
    saved = await store.find(checkpoint.sha256)
    own = {name: (direction, False) for name, direction in checkpoint.directions.items()}
    return own | {n: (_direction(s), True) for n, s in saved.items() if n not in own}


async def named_directions(
    checkpoint: Checkpoint, store: DirectionStore, names: Iterable[str]
) -> dict[str, Direction]:
    """The directions of the checkpoint, and those of these names that were saved.

    The database is asked only for names that the checkpoint does not have.

    Raises:
        StoreError: if it is asked and does not work.
    """
    own = checkpoint.directions
    saved = await store.find(checkpoint.sha256, set(names) - set(own))
    return own | {name: _direction(direction) for name, direction in saved.items()}


async def find_direction(
    checkpoint: Checkpoint, store: DirectionStore, name: str
) -> tuple[Direction, bool]:
    """The direction of this name, and whether it was saved.

    Raises:
        UnknownDirectionError: if there is none.
        StoreError: if the database is asked and does not work.
    """
    known = await named_directions(checkpoint, store, [name])
    if name not in known:
        raise UnknownDirectionError(_unknown(checkpoint, name))
    return known[name], name not in checkpoint.directions


async def delete_direction(checkpoint: Checkpoint, store: DirectionStore, name: str) -> None:
    """Delete a saved direction.

    Raises:
        CheckpointDirectionError: if it is one of the checkpoint.
        UnknownDirectionError: if there is none of this name.
        StoreError: if the database does not work.
    """
    check_name(checkpoint, name)
    if not await store.delete(checkpoint.sha256, name):
        raise UnknownDirectionError(_unknown(checkpoint, name))


async def preview_direction(
    context: Context, name: str, seed: int, steps: int
) -> list[PlannedImage]:
    """A sample moved along a direction, from -2 to 2 steps of it.

    Args:
        context: of the request.
        name: of the direction.
        seed: of the sample.
        steps: images, at least 2.

    Raises:
        UnknownDirectionError, StoreError: as ``find_direction``.
    """
    context.limits.check_count(steps)
    direction, _ = await find_direction(context.model.checkpoint, context.store, name)
    z = context.model.checkpoint.sample([seed])[0]
    weights = torch.linspace(-PREVIEW_REACH, PREVIEW_REACH, steps).tolist()
    moved = [z + direction.change(z, w) if w else z for w in weights]
    return list(map(PlannedImage, moved))


def check_name(checkpoint: Checkpoint, name: str) -> None:
    """Refuse to change a direction of the checkpoint.

    Raises:
        CheckpointDirectionError: if it has one of this name.
    """
    if name in checkpoint.directions:
        raise CheckpointDirectionError(
            f"{name!r} is a direction of the checkpoint, which cannot be changed; use another name"
        )


def _direction(saved: SavedDirection) -> Direction:
    subspace = None
    if saved.subspace_centre:
        count = len(saved.subspace_centre)
        rows = torch.tensor(saved.subspace_rows).reshape(count, -1)
        subspace = WithinLabelSubspace(rows, torch.tensor(saved.subspace_centre))
    vector = torch.tensor(saved.vector)
    return Direction(vector, saved.meaning, saved.method, saved.images, subspace)


def _unknown(checkpoint: Checkpoint, name: str) -> str:
    own = ", ".join(checkpoint.directions) or "none"
    return f"no direction {name!r} was saved, and the checkpoint has {own}"
