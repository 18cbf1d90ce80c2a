"""The latent of a sum of operands and named directions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from app.operations.expression import Term
from app.operations.operands import Operand, OperandError, ResolvedOperand, checked_latent
from vae import latent
from vae.directions import Direction, ExemplarDirection, apply_directions


@dataclass(frozen=True)
class LatentSum:
    """An expression whose names are known.

    Attributes:
        operands: weight and mean latent ``(D,)`` of each term that names operands.
        edits: weight and direction of each term that names a direction; equal terms have the same
            object.
        dim: values of a latent.
    """

    operands: Sequence[tuple[float, Tensor]]
    edits: Sequence[tuple[float, Direction | ExemplarDirection]]
    dim: int

    @property
    def removal(self) -> float:
        """In [0, 1]: how much of the weights of the directions is negative; 0.5 if it has none."""
        weights = [weight for weight, _ in self.edits]
        total = sum(map(abs, weights))
        return sum(-w for w in weights if w < 0) / total if total else 0.5

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
    named: dict[tuple[str, str | None], Direction | ExemplarDirection] = {
        (t.name, t.argument): (
            directions[t.name] if t.argument is None else directions[t.name].of(means[t.argument])
        )
        for t in terms
        if t.name not in means
    }
    return LatentSum(
        operands=[(t.weight, means[t.name]) for t in terms if t.name in means],
        edits=[(t.weight, named[t.name, t.argument]) for t in terms if t.name not in means],
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

    A term with an argument names a direction that has a within-label subspace, and its argument
    names operands.

    Raises:
        OperandError: for the first name that is wrong.
    """
    used = {t.name for t in terms} | {t.argument for t in terms}
    for name in operands:
        if name not in used:
            raise OperandError(("operands", name), f"the expression does not use {name!r}")
    for term in terms:
        if term.name not in operands and term.name not in directions:
            raise _error(
                term,
                "is neither an operand of the request nor a direction of this model "
                f"(directions: {', '.join(directions) or 'none'})",
            )
        if term.argument is not None:
            _check_function(term, operands, directions)


def _check_function(
    term: Term, operands: Mapping[str, Sequence[Operand]], directions: Mapping[str, Direction]
) -> None:
    """Refuse a term with an argument that is not a function of operands."""
    functions = [name for name, d in directions.items() if d.within_label is not None]
    known = ", ".join(functions) or "none"
    if term.name in operands:
        raise _error(
            term,
            "is an operand of the request; only a direction can have an argument "
            f"(directions that can: {known})",
        )
    if term.name not in functions:
        raise _error(
            term,
            "is a direction without a within-label subspace, so it can have no argument "
            f"(directions that can: {known})",
        )
    if term.argument not in operands:
        what = "a direction" if term.argument in directions else "not in the request"
        raise _error(
            term,
            f"has the argument {term.argument!r}, which is {what}; it must be the name of an "
            "operand of the request",
        )


def _error(term: Term, detail: str) -> OperandError:
    return OperandError(("expression",), f"{term.name!r} at character {term.position} {detail}")
