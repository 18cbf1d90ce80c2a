"""The image of a sum of operands and named directions."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from app.images.encoding import Encoding
from app.operations.context import Context, FieldPath
from app.operations.decode import DecodedImage, decode_latents
from app.operations.expression import Term, parse
from app.operations.latent_sum import check_names, latent_sum
from app.operations.operands import Operand, OperandError, ResolvedOperand, resolve
from app.operations.paste import PastedPhotograph, check_photograph, paste
from app.operations.preserve import pixel_edit, preserve
from vae.preprocessing import Fit


async def arithmetic(
    context: Context,
    expression: str,
    operands: Mapping[str, Sequence[Operand]],
    *,
    preserve_fraction: float | None = None,
    paste_as: Encoding | None = None,
    fit: Fit = "crop",
    embedded: bool = True,
) -> DecodedImage | PastedPhotograph:
    """The decode of a weighted sum of operands and directions.

    Args:
        context: of the request.
        expression: see ``app.operations.expression``.
        operands: one or more for each name; the mean of their latents counts.
        preserve_fraction: 0..1, how much is kept of what the model cannot reconstruct of the first
            name with a positive weight that is one image. None is 1 with ``paste_as``, else 0.
        paste_as: file format of the result, where the edit is put back into that image at its full
            size; None for the image that the model makes.
        fit: how images that are not square are fitted.
        embedded: whether an image of this model is read by the latent that it carries.

    Raises:
        ExpressionError: if the expression is not such a sum.
        TooManyImagesError: if there are more operands than one request may have.
        OperandError: if the names do not match, the sum is too large, or there is no image to
            preserve, or less than all of one to paste into.
        ImageFileTooLargeError, decoding errors, NoFaceError: as ``operands.resolve``.
    """
    terms = parse(expression)
    directions = context.model.checkpoint.directions
    check_names(terms, operands, directions)
    context.limits.check_count(max(1, sum(map(len, operands.values()))))
    fraction = _preserve_fraction(preserve_fraction, paste_as)
    field = "preserve" if paste_as is None else "paste"
    target = _preserve_target(terms, operands, field) if fraction else None
    photograph = operands[target][0].image if target is not None else None
    if paste_as is not None and photograph is not None:
        await check_photograph(context, photograph, paste_as)
    groups = await _resolve_groups(context, operands, fit, embedded)
    z = latent_sum(terms, groups, directions, context.model.dim).value()
    if target is None:
        return (await decode_latents(context, [z]))[0]
    assert photograph is not None
    return await _edited(context, z, groups[target][0], photograph, fraction, paste_as)


async def _edited(
    context: Context,
    z: Tensor,
    original: ResolvedOperand,
    photograph: bytes,
    fraction: float,
    paste_as: Encoding | None,
) -> DecodedImage | PastedPhotograph:
    """The original, changed as its latent is changed to ``z``; ``photograph`` is its file."""
    after, before = await decode_latents(context, [z, original.latent])
    pixels, transform = original.pixels, original.transform
    assert pixels is not None
    assert transform is not None
    if paste_as is not None:
        edit = await context.image_pool.run(lambda: pixel_edit(pixels, before.pixels, after.pixels))
        return PastedPhotograph(await paste(context, photograph, transform, edit, paste_as), z)
    return DecodedImage(
        await context.image_pool.run(
            lambda: preserve(after.pixels, before.pixels, pixels, fraction)
        ),
        z,
    )


def _preserve_fraction(requested: float | None, paste_as: Encoding | None) -> float:
    """How much of the original is kept.

    Raises:
        OperandError: if less than all is requested of a photograph that is pasted into.
    """
    if paste_as is None:
        return requested or 0.0
    if requested not in (None, 1.0):
        raise OperandError(
            ("preserve",),
            "paste needs preserve=1, which is its default: with less, the whole crop would change, "
            "and its edges would show in the photograph",
        )
    return 1.0


def _preserve_target(
    terms: Sequence[Term], operands: Mapping[str, Sequence[Operand]], field: str
) -> str:
    """The first name with a positive weight that is one image; ``field`` needs it."""
    for term in terms:
        group = operands.get(term.name, [])
        if term.weight > 0 and len(group) == 1 and group[0].image is not None:
            return term.name
    raise OperandError((field,), f"{field} needs a name with a positive weight that is one image")


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
