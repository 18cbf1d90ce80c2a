"""The strength of an expression's directions: as requested, or the least that shows."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from torch import Tensor

from app.inference.registry import LoadedModel
from app.operations.context import Context
from app.operations.decode import DecodedImage, decode_latents
from app.operations.expression import Term
from app.operations.latent_sum import LatentSum

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


async def decode_with_strength(
    context: Context, expression: LatentSum, choice: StrengthChoice, others: Sequence[Tensor]
) -> list[DecodedImage]:
    """The image of an expression, then those of other latents, all decoded together.

    With several candidates, the expression's image is that of the least strength at which every
    label is as requested with a probability of ``MIN_PROBABILITY``; if there is none, that of the
    strength at which the least of these probabilities is largest.

    Args:
        context: of the request.
        expression: what is decoded with each candidate.
        choice: of the strength.
        others: latents ``(D,)``.

    Raises:
        OperandError: if the sum is too large with a candidate.
    """
    latents = [expression.value(strength) for strength in choice.candidates]
    images = await decode_latents(context, [*latents, *others])
    count = len(latents)
    if not choice.shown:
        return images
    chosen = await _chosen(context, images[:count], choice.shown)
    image = replace(images[chosen], strength=choice.candidates[chosen])
    return [image, *images[count:]]


async def _chosen(
    context: Context, images: Sequence[DecodedImage], shown: Mapping[str, bool]
) -> int:
    """The index of the first image that shows what was requested, or of the nearest."""
    loaded = context.model.classifier
    assert loaded is not None
    pixels = np.stack([image.pixels for image in images])
    [logits] = await loaded.predictor.run([pixels], context.timing)
    columns = [loaded.classifier.labels.index(label) for label in shown]
    signs = logits.new_tensor([1.0 if has else -1.0 for has in shown.values()])
    least = (logits[:, columns] * signs).sigmoid().amin(1).tolist()
    succeeding = (i for i, probability in enumerate(least) if probability >= MIN_PROBABILITY)
    return next(succeeding, least.index(max(least)))
