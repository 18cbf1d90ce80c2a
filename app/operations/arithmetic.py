"""The image of a sum of operands and named directions."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from app.operations.context import Context, FieldPath
from app.operations.decode import DecodedImage
from app.operations.expression import Term, parse
from app.operations.latent_sum import check_names, latent_sum, mean_latent
from app.operations.operands import Operand, OperandError, ResolvedOperand, resolve
from app.operations.preserve import preserve
from app.operations.strength import Strength, decode_with_strength, strength_choice
from vae.preprocessing import Fit


async def arithmetic(
    context: Context,
    expression: str,
    operands: Mapping[str, Sequence[Operand]],
    *,
    strength: Strength = 1.0,
    preserve_fraction: float = 0.0,
    fit: Fit = "crop",
    embedded: bool = True,
) -> DecodedImage:
    """The decode of a weighted sum of operands and directions.

    Args:
        context: of the request.
        expression: see ``app.operations.expression``.
        operands: one or more for each name; the mean of their latents counts.
        strength: factor of the weights of the directions, 0..2, or ``auto``.
        preserve_fraction: 0..1, how much is kept of what the model cannot reconstruct of the first
            name with a positive weight that is one image.
        fit: how images that are not square are fitted.
        embedded: whether an image of this model is read by the latent that it carries.

    Raises:
        ExpressionError: if the expression is not such a sum.
        TooManyImagesError: if there are more operands than one request may have.
        OperandError: if the names do not match, the sum is too large, or there is no image to
            preserve.
        StrengthError: as ``strength_choice``.
        ImageFileTooLargeError, decoding errors, NoFaceError: as ``operands.resolve``.
    """
    terms = parse(expression)
    directions = context.model.checkpoint.directions
    check_names(terms, operands, directions)
    choice = strength_choice(context.model, strength, terms, operands)
    context.limits.check_count(max(len(choice.candidates), sum(map(len, operands.values()))))
    target = _preserve_target(terms, operands) if preserve_fraction else None
    groups = await _resolve_groups(context, operands, fit, embedded)
    total = latent_sum(terms, groups, directions, context.model.dim)
    if target is None:
        return (await decode_with_strength(context, total, choice, []))[0]
    start = mean_latent(groups[target])
    after, before = await decode_with_strength(context, total, choice, [start])
    original = groups[target][0].pixels
    assert original is not None
    pixels = await context.image_pool.run(
        lambda: preserve(after.pixels, before.pixels, original, preserve_fraction)
    )
    return replace(after, pixels=pixels)


def _preserve_target(terms: Sequence[Term], operands: Mapping[str, Sequence[Operand]]) -> str:
    """The first name with a positive weight that is one image."""
    for term in terms:
        group = operands.get(term.name, [])
        if term.weight > 0 and len(group) == 1 and group[0].image is not None:
            return term.name
    raise OperandError(
        ("preserve",), "preserve needs a name with a positive weight that is one image"
    )


async def _resolve_groups(
    context: Context, operands: Mapping[str, Sequence[Operand]], fit: Fit, embedded: bool
) -> dict[str, list[ResolvedOperand]]:
    """The operands of each name, all resolved together."""
    flat: list[tuple[FieldPath, Operand]] = [
        (("operands", name, i), operand)
        for name, group in operands.items()
        for i, operand in enumerate(group)
    ]
    resolved = iter(await resolve(context, flat, fit, embedded))
    return {name: [next(resolved) for _ in group] for name, group in operands.items()}
