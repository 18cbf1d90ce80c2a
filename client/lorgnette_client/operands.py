"""What a point of the latent space may be given as, and the parts of a form that say so."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from lorgnette_client.pictures import Picture, Pictures, image_file


@dataclass(frozen=True)
class Seed:
    """The latent that ``sample`` draws with this seed.

    Attributes:
        value: 0 or more.
    """

    value: int


Latents: TypeAlias = npt.NDArray[np.floating[Any]]
Operand: TypeAlias = Picture | Latents | Seed
"""An image, a latent ``(D,)`` of floats, or a seed."""
Group: TypeAlias = Operand | Sequence[Operand]
"""An operand, or several, which count as their mean; latents may be one array ``(N, D)``."""

NamedGroups: TypeAlias = Mapping[str, Group]
NO_OPERANDS: NamedGroups = MappingProxyType({})

Part: TypeAlias = tuple[str, tuple[str | None, bytes | str]]
"""A part of a form: its name, its filename or None for text, and its content."""


def image_parts(name: str, pictures: Pictures) -> list[Part]:
    """A file part for each image.

    Raises:
        ValueError: if there is none.
    """
    several = cast(
        Sequence[Picture], pictures if isinstance(pictures, list | tuple) else [pictures]
    )
    if not several:
        raise ValueError("there is no image; pass one or more")
    return [(name, ("image", image_file(picture))) for picture in several]


def group_parts(name: str, group: Group) -> list[Part]:
    """A part for each operand of a group.

    Raises:
        ValueError: if the group is empty, or an array of latents is neither ``(D,)`` nor
            ``(N, D)``.
    """
    parts = [_operand_part(name, operand) for operand in _operands(group)]
    if not parts:
        raise ValueError(f"{name} has no operand")
    return parts


def option_parts(options: Mapping[str, object]) -> list[Part]:
    """A text part for each option."""
    return [(name, (None, text(value))) for name, value in options.items()]


def text(value: object) -> str:
    """An option as the text of a form or query; names in a list are separated by commas."""
    if isinstance(value, bool | np.bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value)


def _operands(group: Group) -> Iterator[Operand]:
    if isinstance(group, list | tuple):
        yield from group
    elif isinstance(group, np.ndarray) and group.dtype.kind == "f" and group.ndim != 1:
        if group.ndim != 2:
            raise ValueError(f"latents must be (D,) or (N, D), not {group.shape}")
        yield from group
    else:
        yield group  # type: ignore[misc]  # other sequences are bytes and paths


def _operand_part(name: str, operand: Operand) -> Part:
    if isinstance(operand, Seed):
        return name, (None, json.dumps({"seed": int(operand.value)}))
    if isinstance(operand, np.ndarray) and operand.dtype.kind == "f":
        if operand.ndim != 1:
            raise ValueError(f"a latent among several operands must be (D,), not {operand.shape}")
        return name, (None, json.dumps({"latent": operand.tolist()}))
    return name, ("image", image_file(operand))  # type: ignore[arg-type]  # not a float array
