"""The latent of a sum of operands and named directions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from app.operations.expression import Term
from app.operations.operands import Operand, OperandError, ResolvedOperand, checked_latent
from vae import latent
from vae.directions import Direction, apply_directions


@dataclass(frozen=True)
class LatentSum:
    """An expression whose names are known.

    Attributes:
        operands: weight and mean latent ``(D,)`` of each term that names operands.
        edits: weight and direction of each term that names a direction.
        dim: values of a latent.
    """

    operands: Sequence[tuple[float, Tensor]]
    edits: Sequence[tuple[float, Direction]]
    dim: int

    def value(self, strength: float = 1.0) -> Tensor:
        """The latent ``(D,)``.

        Args:
            strength: factor of the weights of the directions.

        Raises:
            OperandError: if it is too large.
        """
        start = latent.weighted_sum(self.operands, self.dim)
        edits = [(strength * weight, direction) for weight, direction in self.edits]
        return checked_latent(apply_directions(start, edits).tolist(), self.dim, ("expression",))


def latent_sum(
    terms: Sequence[Term],
    groups: Mapping[str, Sequence[ResolvedOperand]],
    directions: Mapping[str, Direction],
    dim: int,
) -> LatentSum:
    """The sum that the terms of an expression make, after ``check_names``.

    Args:
        terms: of the expression.
        groups: the operands of each name; the mean of their latents counts.
        directions: of the model.
        dim: values of a latent.
    """
    means = {name: mean_latent(group) for name, group in groups.items()}
    return LatentSum(
        operands=[(t.weight, means[t.name]) for t in terms if t.name in means],
        edits=[(t.weight, directions[t.name]) for t in terms if t.name not in means],
        dim=dim,
    )


def mean_latent(group: Sequence[ResolvedOperand]) -> Tensor:
    """The mean ``(D,)`` of the latents of one or more operands."""
    return torch.stack([operand.latent for operand in group]).mean(0)


def check_names(
    terms: Sequence[Term],
    operands: Mapping[str, Sequence[Operand]],
    directions: Mapping[str, Direction],
) -> None:
    """Refuse names that are neither operands nor directions, and operands that no term names.

    Raises:
        OperandError: for the first such name.
    """
    used = {term.name for term in terms}
    for name in operands:
        if name not in used:
            raise OperandError(("operands", name), f"the expression does not use {name!r}")
    for name in sorted(used):
        if name not in operands and name not in directions:
            known = ", ".join(directions) or "none"
            raise OperandError(
                ("expression",),
                f"{name!r} is neither an operand of the request nor a direction of this model "
                f"(directions: {known})",
            )
