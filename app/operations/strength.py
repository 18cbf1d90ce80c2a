"""The strength of an expression's directions: as requested, or the least that shows."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from torch import Tensor

from app.inference.engine import Pixels
from app.inference.loaded_model import LoadedModel
from app.operations.context import Context
from app.operations.decode import DecodedImage, decode_latents
from app.operations.expression import Term
from app.operations.latent_sum import LatentSum
from app.operations.preserve import pixel_edit, preserved
from vae.preserve import PixelEdit

AUTO: Literal["auto"] = "auto"
MAX_STRENGTH = 2.0
CANDIDATES = (1.0, 1.25, 1.5, 1.75, 2.0)
# Of what was requested. Of models/faces' test images, 98% of those with glasses have them with this
# probability and none of the others; 99% of the others have none with it, and none of the former.
MIN_PROBABILITY = 0.9

Strength = float | Literal["auto"]


class StrengthError(Exception):
    """A request for a strength that cannot be chosen."""


@dataclass(frozen=True)
class StrengthChoice:
    """Strengths, and what the image has to show.

    Attributes:
        candidates: in ascending order.
        shown: for each label whether images have to have it. If empty, there is one candidate.
    """

    candidates: Sequence[float]
    shown: Mapping[str, bool]


def strength_choice(
    model: LoadedModel, strength: Strength, terms: Sequence[Term], operands: Collection[str]
) -> StrengthChoice:
    """What a request leaves to choose.

    Args:
        model: the model that the request chose.
        strength: 0..2, or ``auto``.
        terms: of the expression, after ``check_names``.
        operands: names of the operands; the other names are directions.

    Raises:
        StrengthError: if ``auto`` is requested and the model has no classifier, the expression has
            no direction, or the classifier does not know one.
    """
    if strength != AUTO:
        return StrengthChoice((strength,), {})
    if model.classifier is None:
        raise StrengthError(
            f"strength=auto needs an auxiliary classifier, and the model {model.name!r} has none; "
            "it knows no labels; send a number"
        )
    weights: dict[str, float] = {}
    for term in terms:
        if term.name not in operands:
            weights[term.name] = weights.get(term.name, 0.0) + term.weight
    shown = {name: weight > 0 for name, weight in weights.items() if weight}
    labels = model.classifier.classifier.labels
    known = f"the classifier of the model {model.name!r} knows {', '.join(labels)}"
    if not shown:
        raise StrengthError(
            f"strength=auto needs a direction in the expression, such as '+ {labels[0]}'; {known}"
        )
    if unknown := [name for name in shown if name not in labels]:
        raise StrengthError(f"strength=auto cannot judge {', '.join(unknown)}; {known}")
    return StrengthChoice(CANDIDATES, shown)


@dataclass(frozen=True)
class Preserved:
    """A photograph that an edit preserves.

    Attributes:
        pixels: uint8 ``(S, S, C)``, as the model sees it.
        latent: ``(D,)``.
        fraction: 0..1, as of ``app.operations.preserve.preserved``.
    """

    pixels: Pixels
    latent: Tensor
    fraction: float


async def decode_with_strength(
    context: Context, expression: LatentSum, choice: StrengthChoice
) -> DecodedImage:
    """The image of an expression.

    With several candidates it is that of the least strength at which every label is as requested
    with a probability of ``MIN_PROBABILITY``; if there is none, that of the strength at which the
    least of these probabilities is largest.

    Args:
        context: of the request.
        expression: what is decoded with each candidate, all together.
        choice: of the strength.

    Raises:
        OperandError: if the sum is too large with a candidate.
    """
    images = await decode_latents(context, [expression.value(s) for s in choice.candidates])
    if not choice.shown:
        return images[0]
    least = await _probabilities(context, [image.pixels for image in images], choice.shown)
    chosen = next(iter(_succeeding(least)), least.index(max(least)))
    return replace(images[chosen], strength=choice.candidates[chosen])


async def preserve_with_strength(
    context: Context, expression: LatentSum, choice: StrengthChoice, photograph: Preserved
) -> tuple[DecodedImage, PixelEdit]:
    """As ``decode_with_strength``, of a photograph that is preserved, with its edit.

    The labels are looked for in the edited photograph too, which is what a user sees: what a decode
    shows can be faint there. A candidate whose decode fails is tried only if all do. Where labels
    are only taken away, strength 0 is a candidate: a photograph without them stays as it is.
    """
    is_removal = bool(choice.shown) and not any(choice.shown.values())
    candidates = (0.0, *choice.candidates) if is_removal else choice.candidates
    latents = [expression.value(strength) for strength in candidates]
    *images, before = await decode_latents(context, [*latents, photograph.latent])

    def edited(after: DecodedImage) -> tuple[PixelEdit, Pixels]:
        edit = pixel_edit(photograph.pixels, before.pixels, after.pixels, expression.removal)
        return edit, preserved(edit, photograph.pixels, after.pixels, photograph.fraction)

    async def in_pool(after: DecodedImage) -> tuple[PixelEdit, Pixels]:
        return await context.image_pool.run(lambda: edited(after))

    if not choice.shown:
        return images[0], (await in_pool(images[0]))[0]
    least = await _probabilities(context, [image.pixels for image in images], choice.shown)
    tried: list[tuple[float, DecodedImage, PixelEdit]] = []
    promising = _succeeding(least) or [least.index(max(least))]
    if is_removal:  # the photograph itself counts, not its decode
        promising = sorted({0, *promising})
    for i in promising:
        edit, pixels = await in_pool(images[i])
        [probability] = await _probabilities(context, [pixels], choice.shown)
        tried.append((probability, replace(images[i], strength=candidates[i]), edit))
        if probability >= MIN_PROBABILITY:
            break
    _, image, edit = max(tried, key=lambda candidate: candidate[0])
    return image, edit


def _succeeding(probabilities: Sequence[float]) -> list[int]:
    return [i for i, probability in enumerate(probabilities) if probability >= MIN_PROBABILITY]


async def _probabilities(
    context: Context, images: Sequence[Pixels], shown: Mapping[str, bool]
) -> list[float]:
    """Of each image, the least probability with which a label is as requested."""
    loaded = context.model.classifier
    assert loaded is not None
    [logits] = await loaded.predictor.run([np.stack(images)], context.timing)
    columns = [loaded.classifier.labels.index(label) for label in shown]
    signs = logits.new_tensor([1.0 if has else -1.0 for has in shown.values()])
    least: list[float] = (logits[:, columns] * signs).sigmoid().amin(1).tolist()
    return least
