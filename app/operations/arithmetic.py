"""The image of a sum of operands and named directions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from app.images.encoding import Encoding
from app.inference.engine import Pixels
from app.operations.context import Context, FieldPath
from app.operations.decode import DecodedImage
from app.operations.directions import named_directions
from app.operations.expression import Term, parse
from app.operations.latent_sum import check_names, latent_sum
from app.operations.operands import Operand, OperandError, ResolvedOperand, resolve
from app.operations.paste import check_photograph, paste
from app.operations.preserve import mask_pixels, preserved
from app.operations.strength import (
    Preserved,
    Strength,
    decode_with_strength,
    preserve_with_strength,
    strength_choice,
)
from vae.preprocessing import Fit
from vae.preserve import PixelEdit


@dataclass(frozen=True, kw_only=True)
class ArithmeticOptions:
    """How the image of an expression is made.

    Attributes:
        strength: factor of the weights of the directions, 0..2, or ``auto``.
        preserve: 0..1, how much is kept of the photograph, which is the first name with a positive
            weight that is one image. None is 1 with ``paste_as`` or ``mask``, else 0.
        paste_as: file format of the result, where the edit is put back into the photograph at its
            full size; None for an image of the model's size.
        mask: whether the result has the mask of the edit.
        fit: how images that are not square are fitted.
        embedded: whether an image of this model is read by the latent that it carries.
    """

    strength: Strength = 1.0
    preserve: float | None = None
    paste_as: Encoding | None = None
    mask: bool = False
    fit: Fit = "crop"
    embedded: bool = True

    @property
    def fraction(self) -> float:
        """How much of the photograph is kept."""
        if self.preserve is not None:
            return self.preserve
        return 1.0 if self.paste_as is not None or self.mask else 0.0


@dataclass(frozen=True)
class ArithmeticResult:
    """The image of an expression.

    Attributes:
        image: of the model's size.
        photograph: file of the edited photograph at its full size, if one was requested.
        mask: uint8 ``(S, S, 1)``, 0 where the photograph is as it was, if it was requested.
    """

    image: DecodedImage
    photograph: bytes | None = None
    mask: Pixels | None = None


async def arithmetic(
    context: Context,
    expression: str,
    operands: Mapping[str, Sequence[Operand]],
    options: ArithmeticOptions,
) -> ArithmeticResult:
    """The decode of a weighted sum of operands and directions, or a photograph changed by it.

    Args:
        context: of the request.
        expression: see ``app.operations.expression``.
        operands: one or more for each name; the mean of their latents counts.
        options: see ``ArithmeticOptions``.

    Raises:
        ExpressionError: if the expression is not such a sum.
        TooManyImagesError: if there are more operands than one request may have.
        OperandError: if the names do not match, the sum is too large, there is no photograph to
            preserve, or less than all of one to paste into.
        StrengthError: as ``strength_choice``.
        StoreError: if a name may be that of a saved direction, and the database does not work.
        ImageFileTooLargeError, decoding errors, NoFaceError: as ``operands.resolve``.
    """
    terms = parse(expression)
    names = {term.name for term in terms} - set(operands)
    directions = await named_directions(context.model.checkpoint, context.store, names)
    check_names(terms, operands, directions)
    choice = strength_choice(context.model, options.strength, terms, operands)
    context.limits.check_count(max(len(choice.candidates), sum(map(len, operands.values()))))
    _check_options(options)
    target = _preserve_target(terms, operands, options) if options.fraction else None
    if target is not None and options.paste_as is not None:
        image = ("operands", target, 0, "image"), _file(operands, target)
        await check_photograph(context, image, options.paste_as)
    groups = await _resolve_groups(context, operands, options)
    total = latent_sum(terms, groups, directions, context.model.dim)
    if target is None:
        return ArithmeticResult(await decode_with_strength(context, total, choice))
    original = groups[target][0]
    photograph = Preserved(_pixels(original), original.latent, options.fraction)
    after, edit = await preserve_with_strength(context, total, choice, photograph)
    return await _edited(context, _file(operands, target), original, edit, after, options)


async def _edited(
    context: Context,
    file: bytes,
    original: ResolvedOperand,
    edit: PixelEdit,
    after: DecodedImage,
    options: ArithmeticOptions,
) -> ArithmeticResult:
    """The photograph in ``file``, edited; ``after`` is the plain decode."""
    if options.paste_as is not None:
        assert original.transform is not None
        photograph = await paste(context, file, original.transform, edit, options.paste_as)
        return ArithmeticResult(after, photograph)
    edited = await context.image_pool.run(
        lambda: preserved(edit, _pixels(original), after.pixels, options.fraction)
    )
    mask = mask_pixels(edit) if options.mask else None
    return ArithmeticResult(replace(after, pixels=edited), mask=mask)


def _check_options(options: ArithmeticOptions) -> None:
    """Refuse options that exclude each other.

    Raises:
        OperandError: for the first such option.
    """
    if options.paste_as is not None and options.fraction != 1.0:
        raise OperandError(
            ("preserve",),
            "paste needs preserve=1, which is its default: with less, the whole crop would change, "
            "and its edges would show in the photograph",
        )
    if options.mask and options.paste_as is not None:
        raise OperandError(
            ("mask",), "mask is that of the aligned image, not of a photograph; leave out paste"
        )
    if options.mask and not options.fraction:
        raise OperandError(("mask",), "mask needs preserve above 0, of which 1 is its default")


def _preserve_target(
    terms: Sequence[Term], operands: Mapping[str, Sequence[Operand]], options: ArithmeticOptions
) -> str:
    """The first name with a positive weight that is one image.

    Raises:
        OperandError: if there is none.
    """
    for term in terms:
        group = operands.get(term.name, [])
        if term.weight > 0 and len(group) == 1 and group[0].image is not None:
            return term.name
    field = "paste" if options.paste_as is not None else "mask" if options.mask else "preserve"
    raise OperandError((field,), f"{field} needs a name with a positive weight that is one image")


def _pixels(original: ResolvedOperand) -> Pixels:
    assert original.pixels is not None
    return original.pixels


def _file(operands: Mapping[str, Sequence[Operand]], target: str) -> bytes:
    file = operands[target][0].image
    assert file is not None
    return file


async def _resolve_groups(
    context: Context, operands: Mapping[str, Sequence[Operand]], options: ArithmeticOptions
) -> dict[str, list[ResolvedOperand]]:
    """The operands of each name, all resolved together."""
    flat: list[tuple[FieldPath, Operand]] = [
        (("operands", name, i), operand)
        for name, group in operands.items()
        for i, operand in enumerate(group)
    ]
    resolved = iter(await resolve(context, flat, options.fit, options.embedded))
    return {name: [next(resolved) for _ in group] for name, group in operands.items()}
