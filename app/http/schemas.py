"""The shapes of requests and answers, with their limits."""

import base64
import binascii
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from vae.preprocessing import Fit
from vae.latent import Method

MAX_SEED = 2**53 - 1  # exact in every JSON reader
MAX_STEPS = 64
MAX_LATENT_VALUE = 1e6
MAX_LATENT = 4096  # values
MAX_LIST = 4096  # as settings go; each entry that is wrong makes an error

Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Latent = Annotated[
    list[Annotated[FiniteFloat, Field(ge=-MAX_LATENT_VALUE, le=MAX_LATENT_VALUE)]],
    Field(
        min_length=1,
        max_length=MAX_LATENT,
        fail_fast=True,
        description="One value a latent dimension.",
    ),
]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]


def _from_base64(value: object) -> object:
    """Bytes of base64 text or of a ``data:`` URI; anything else is left to the validator."""
    if not isinstance(value, str):
        return value
    text = value
    if text.startswith("data:"):
        head, comma, text = text.partition(",")
        if not comma or not head.endswith(";base64"):
            raise ValueError("a data: URI must hold base64: data:image/png;base64,...")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not base64") from None


ImageBytes = Annotated[
    bytes,
    BeforeValidator(_from_base64),
    WithJsonSchema(
        {
            "type": "string",
            "contentEncoding": "base64",
            "description": "A picture as base64 or a `data:` URI.",
        }
    ),
]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Operand(_Request):
    """A picture, a latent or a seed: exactly one of the three."""

    image: ImageBytes | None = None
    latent: Latent | None = None
    seed: Seed | None = None

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        if sum(v is not None for v in (self.image, self.latent, self.seed)) != 1:
            raise ValueError("an operand is exactly one of image, latent and seed")
        return self


def _as_list(value: object) -> object:
    return _bounded(value if isinstance(value, list) else [value])


def _bounded(value: object) -> object:
    if isinstance(value, list) and len(value) > MAX_LIST:
        raise ValueError(f"a list of {len(value)} entries; at most {MAX_LIST} are read")
    return value


Pictures = Annotated[list[ImageBytes], BeforeValidator(_as_list), Field(min_length=1)]


class ResizeOptions(_Request):
    """How pictures that are sent are read."""

    fit: Fit = Field(
        "crop",
        description="How a picture that is not square is fitted: cut a centred square, pad with "
        "white, or stretch.",
    )


class ImageOptions(ResizeOptions):
    """How pictures that are sent become latents."""

    embedded: bool = Field(
        True,
        description="Read the latent that a picture of this model carries, instead of encoding it.",
    )


class EncodeRequest(ResizeOptions):
    """Pictures to encode."""

    image: Pictures


class ReconstructRequest(ImageOptions):
    """Pictures to encode and decode again."""

    image: Pictures
    compare: bool = Field(False, description="Put each original to the left of its copy.")


class DecodeRequest(_Request):
    """Latents to decode."""

    latents: Annotated[list[Latent], BeforeValidator(_bounded)] = Field(min_length=1)


class SampleRequest(_Request):
    """How many pictures to draw from the prior, and which."""

    n: int = Field(1, ge=1, le=64, description="Pictures.")
    seed: Seed | None = Field(None, description="Picture i has seed `seed + i`; random if absent.")
    temperature: FiniteFloat = Field(
        1.0, ge=0, le=2, description="Scale of the noise; below 1 is nearer to the average."
    )
    prior: Literal["fitted", "standard"] = Field(
        "fitted", description="Fitted to the encoded training set, or N(0, I)."
    )

    @model_validator(mode="after")
    def _last_seed_in_range(self) -> Self:
        if self.seed is not None and self.seed + self.n - 1 > MAX_SEED:
            raise ValueError(f"seed + n - 1 must be at most {MAX_SEED}")
        return self


class InterpolateRequest(ImageOptions):
    """Two operands and the way between them."""

    start: Operand
    end: Operand
    steps: int = Field(8, ge=2, le=MAX_STEPS, description="Pictures, both ends included.")
    method: Method = Field("slerp", description="Along the great circle, or straight.")


class ArithmeticRequest(ImageOptions):
    """A sum of weighted names, and the operands it names."""

    expression: str = Field(description="For example `men - women + her` or `me + 1.5*glasses`.")
    operands: dict[
        Name, Annotated[list[Operand], BeforeValidator(_as_list), Field(min_length=1)]
    ] = Field(default_factory=dict, description="One or more operands a name; their mean counts.")
    preserve: FiniteFloat = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of the original that is kept: the answer is the decode plus this much "
        "of what the model could not draw of the first single picture with a positive weight.",
    )


class HealthResponse(BaseModel):
    """Whether the service lives, or is ready."""

    status: Literal["live", "ready"]


class PosteriorResponse(BaseModel):
    """What the encoder says of one picture."""

    mean: list[float]
    logvar: list[float]


class EncodeResponse(BaseModel):
    """Posteriors in the order of the pictures."""

    model: str
    latents: list[PosteriorResponse]


class ImagesResponse(BaseModel):
    """Pictures as base64 PNGs, with the latents they were decoded from."""

    model: str
    images: list[str]
    latents: list[list[float]]
    seeds: list[int]


class DirectionResponse(BaseModel):
    """A named direction of a model."""

    name: str
    meaning: str
    scale: float = Field(description="Length of one mean step from without to with.")
    method: str
    count: int = Field(description="Pictures it was made from.")
    kinds: int = Field(
        description="Axes along which pictures with it differ and others do not (of glasses, "
        "frames). They go with it when it is taken away."
    )


class DirectionsResponse(BaseModel):
    """The named directions of a model."""

    model: str
    directions: list[DirectionResponse]


class ModelResponse(BaseModel):
    """What is loaded, from the checkpoint's own metadata."""

    name: str
    id: str = Field(description="`NAME@SHA256-12`, as in the header `Lorgnette-Model`.")
    sha256: str
    device: str
    config: dict[str, Any]
    parameters: int
    labels: list[str]
    directions: list[str]
    metrics: dict[str, Any]
    provenance: dict[str, Any]


class ModelsResponse(BaseModel):
    """The loaded models, the default first."""

    models: list[ModelResponse]


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    pointer: str
    detail: str


class Problem(BaseModel):
    """An error, RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldProblem] | None = None
