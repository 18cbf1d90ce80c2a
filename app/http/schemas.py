"""The fields of requests, with their limits."""

import re
from typing import Annotated, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    FiniteFloat,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from app.http.base64_image import ImageBytes
from app.http.option_schemas import (
    ImageOptions,
    Request,
    ResizeOptions,
    SequenceRequest,
)
from app.http.request_document import any_names, one_or_many
from app.operations import operands
from app.operations.operands import MAX_LATENT_VALUE, MAX_SEED
from app.operations.sample import Prior
from app.operations.strength import AUTO, MAX_STRENGTH
from app.operations.traverse import Traversal
from vae.latent import Easing, Method

MAX_IMAGES = 64  # that one request makes
MAX_LATENT = 4096  # values of a latent
MAX_LIST = 4096  # entries of a list; each wrong one makes an error

Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]


def bounded(value: object) -> object:
    """The value, if it is no list that is too long."""
    if isinstance(value, list) and len(value) > MAX_LIST:
        raise ValueError(f"a list of {len(value)} entries; at most {MAX_LIST} are accepted")
    return value


def check_last_seed(seed: int | None, n: int) -> None:
    """Check the last of ``n`` seeds."""
    if seed is not None and seed + n - 1 > MAX_SEED:
        raise ValueError(f"seed + n - 1 must be at most {MAX_SEED}")


def _as_list(value: object) -> object:
    return bounded(value if isinstance(value, list) else [value])


# That ``bounded`` is called for each latent also lets other threads run: see ``base64_image``.
Latent = Annotated[
    list[Annotated[FiniteFloat, Field(ge=-MAX_LATENT_VALUE, le=MAX_LATENT_VALUE)]],
    Field(
        min_length=1,
        max_length=MAX_LATENT,
        fail_fast=True,
        description="One value a latent dimension.",
    ),
    BeforeValidator(bounded),
]
StrengthNumber = Annotated[FiniteFloat, Field(ge=0, le=MAX_STRENGTH)]


def _number_or_auto(value: object) -> object:
    """One error for both, in place of one for each."""
    if value == AUTO:
        return value
    try:
        return TypeAdapter(StrengthNumber).validate_python(value)
    except ValidationError:
        raise ValueError(f"must be a number from 0 to {MAX_STRENGTH:g}, or auto") from None


Strength = Annotated[StrengthNumber | Literal["auto"], BeforeValidator(_number_or_auto)]


def _name_or_number(value: object) -> object:
    """One error for both, in place of one for each."""
    text = value if isinstance(value, str) else str(value)
    if isinstance(value, bool) or not re.fullmatch("[A-Za-z][A-Za-z0-9_]{0,63}|[0-9]{1,4}", text):
        raise ValueError("must be the name of a direction, or the number of a principal axis")
    return int(text) if text.isdigit() else text


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]


AxisName = Annotated[Name | int, BeforeValidator(_name_or_number)]
Weight = Annotated[FiniteFloat, Field(ge=-10, le=10)]


class Operand(Request):
    """An image, a latent or a seed: exactly one of the three."""

    image: ImageBytes | None = None
    latent: Latent | None = None
    seed: Seed | None = None

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        if sum(v is not None for v in (self.image, self.latent, self.seed)) != 1:
            raise ValueError("an operand is exactly one of image, latent and seed")
        return self

    def to_operand(self) -> operands.Operand:
        """The same for the operations."""
        return operands.Operand(self.image, self.latent, self.seed)


Group = Annotated[
    list[Operand],
    BeforeValidator(_as_list),
    Field(min_length=1, json_schema_extra=one_or_many),
]
Images = Annotated[list[ImageBytes], BeforeValidator(_as_list), Field(min_length=1)]


class EncodeRequest(ResizeOptions, SequenceRequest):
    """Images to encode."""

    image: Images


class ReconstructRequest(ImageOptions, SequenceRequest):
    """Images to encode and decode again."""

    image: Images
    compare: bool = Field(False, description="Put each original to the left of its reconstruction.")


class DecodeRequest(SequenceRequest):
    """Latents to decode."""

    latents: Annotated[list[Latent], BeforeValidator(bounded)] = Field(min_length=1)


class SampleRequest(SequenceRequest):
    """How many images to sample from the prior, and which."""

    n: int = Field(1, ge=1, le=MAX_IMAGES, description="Images.")
    seed: Seed | None = Field(None, description="Image i has seed `seed + i`; random if absent.")
    temperature: FiniteFloat = Field(
        1.0, ge=0, le=2, description="Scale of the noise; below 1 is closer to the average."
    )
    prior: Prior = Field("fitted", description="Fitted to the encoded training set, or N(0, I).")

    @model_validator(mode="after")
    def _last_seed_in_range(self) -> Self:
        check_last_seed(self.seed, self.n)
        return self


class InterpolateRequest(ImageOptions, SequenceRequest):
    """Two or more operands and the path through them."""

    start: Group = Field(description="One or more operands; the path starts at their mean.")
    end: Group = Field(description="One or more operands; the path ends at their mean.")
    via: Annotated[list[Operand], BeforeValidator(_as_list)] = Field(
        default_factory=list,
        description="Operands between the ends, in order; they divide the path into equal parts.",
    )
    steps: int = Field(8, ge=2, le=MAX_IMAGES, description="Images, both ends included.")
    method: Method = Field("slerp", description="Along the great circle, or straight.")
    easing: Easing = Field(
        "linear", description="Of the whole path: steps of equal size, or smaller ones at an end."
    )


class TraverseRequest(ImageOptions, SequenceRequest):
    """An operand, and one or two directions or principal axes along which it is changed."""

    operand: Group = Field(description="One or more operands; it starts at their mean.")
    along: AxisName = Field(
        description="A named direction, or the number of a principal axis of the encoded training "
        "set: 1 has the largest variance."
    )
    across: AxisName | None = Field(
        None, description="A second one, for a grid: each of its steps is a row."
    )
    low: Weight = Field(
        -2.0,
        description="First weight: of a direction in mean steps from without to with, of an axis "
        "in standard deviations.",
    )
    high: Weight = Field(2.0, description="Last weight.")
    steps: int = Field(5, ge=2, le=MAX_IMAGES, description="Images in a row.")
    rows: int | None = Field(
        None, ge=2, le=MAX_IMAGES, description="Rows of a grid; `steps` if absent."
    )

    @model_validator(mode="after")
    def _check_rows(self) -> Self:
        if self.across is None and self.rows is not None:
            raise ValueError("rows needs across")
        if self.across is not None and self.steps * (self.rows or self.steps) > MAX_IMAGES:
            raise ValueError(f"steps times rows must be at most {MAX_IMAGES}")
        return self

    def to_traversal(self) -> Traversal:
        """The same for the operation."""
        rows = 1 if self.across is None else self.rows or self.steps
        return Traversal(self.along, self.across, self.low, self.high, self.steps, rows)


class ArithmeticRequest(ImageOptions):
    """A sum of weighted names, and the operands it names."""

    expression: str = Field(description="For example `men - women + her` or `me + 1.5*glasses`.")
    operands: dict[Name, Group] = Field(
        default_factory=dict,
        description="One or more operands a name; their mean counts.",
        json_schema_extra=any_names,
    )
    strength: Strength = Field(
        1.0,
        description="Factor of the weights of the directions, 0 to 2; or `auto`: the least of 1, "
        "1.25, 1.5, 1.75 and 2 at which the model's auxiliary classifier sees what was added and "
        "no longer sees what was subtracted, or the nearest to that. With `preserve` or `paste` it "
        "looks at the edited photograph, and takes 0 where nothing is to be subtracted. The "
        "response says which, in `strength` and in the header `Lorgnette-Strength`.",
    )
    preserve: Annotated[FiniteFloat, Field(ge=0, le=1)] | None = Field(
        None,
        description="How much of the photograph is kept: the first name with a positive weight "
        "that is one image. At 1 only pixels that the edit changes are changed: what it adds is "
        "added to the photograph, what it takes away is replaced by the decode in the "
        "photograph's colours. Values below 1 blend with the plain decode. If absent, 1 with "
        "`paste` or `mask`, else 0.",
    )
    mask: bool = Field(
        False,
        description="Give the mask of `preserve` too, grey, black where nothing changes: in JSON "
        "as `mask`, a base64 PNG; of the other media types it is the response.",
    )
    paste: bool = Field(
        False,
        description="Put the edit back into the photograph that `preserve` keeps, and respond with "
        "this photograph: at its full size, upright, with its colour profile and without other "
        "metadata. Pixels that the edit does not change are the photograph's own. Needs "
        "`preserve` 1.",
    )
