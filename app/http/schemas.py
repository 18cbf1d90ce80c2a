"""The fields of requests, with their limits."""

from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from app.http.base64_image import ImageBytes
from app.operations import operands
from app.operations.faces import Align
from app.operations.operands import MAX_LATENT_VALUE, MAX_SEED
from app.operations.sample import Prior
from app.operations.strength import AUTO, MAX_STRENGTH
from vae.latent import Method
from vae.preprocessing import Fit

MAX_IMAGES = 64  # that one request makes
MAX_LATENT = 4096  # values of a latent
MAX_FACE = 100  # a number of a face in a photograph
MAX_LIST = 4096  # entries of a list; each wrong one makes an error

Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]


def _bounded(value: object) -> object:
    if isinstance(value, list) and len(value) > MAX_LIST:
        raise ValueError(f"a list of {len(value)} entries; at most {MAX_LIST} are accepted")
    return value


def _as_list(value: object) -> object:
    return _bounded(value if isinstance(value, list) else [value])


# That ``_bounded`` is called for each latent also lets other threads run: see ``base64_image``.
Latent = Annotated[
    list[Annotated[FiniteFloat, Field(ge=-MAX_LATENT_VALUE, le=MAX_LATENT_VALUE)]],
    Field(
        min_length=1,
        max_length=MAX_LATENT,
        fail_fast=True,
        description="One value a latent dimension.",
    ),
    BeforeValidator(_bounded),
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
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelRequest(_Request):
    """What every request that makes images may have."""

    detail: Annotated[FiniteFloat, Field(ge=0, le=1)] | None = Field(
        None,
        description="0 for the smooth image of least squared error, 1 for the sharp one, or a "
        "blend. If absent, the most that the model has (`max_detail` in `GET /models`): 1 with a "
        "detail branch, else 0. More than that is 422, `no-detail`. `/encode` needs it for PNGs.",
    )


class Operand(_Request):
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


Images = Annotated[list[ImageBytes], BeforeValidator(_as_list), Field(min_length=1)]


class ResizeOptions(ModelRequest):
    """How images are resized and aligned."""

    align: Align = Field(
        "auto",
        description="Find the face in each image, and turn, scale and crop the image so that the "
        "face is where the model's training images have it. `auto` does so for models with an "
        "alignment template. An image that this model made, or that is aligned, stays as it is.",
    )
    face: int | None = Field(
        None,
        ge=1,
        le=MAX_FACE,
        description="Which face of each image: 1 for the largest, which is the default, 2 for the "
        "second, as `/faces` lists them.",
    )

    fit: Fit = Field(
        "crop",
        description="How an image that is not square is fitted: crop the centred square, pad with "
        "white, or stretch.",
    )


class ImageOptions(ResizeOptions):
    """How images become latents."""

    embedded: bool = Field(
        True,
        description="Read the latent that an image of this model carries, instead of encoding it.",
    )


class EncodeRequest(ResizeOptions):
    """Images to encode."""

    image: Images


class ReconstructRequest(ImageOptions):
    """Images to encode and decode again."""

    image: Images
    compare: bool = Field(False, description="Put each original to the left of its reconstruction.")


class FacesRequest(_Request):
    """Photographs in which faces are looked for."""

    image: Images


class DecodeRequest(ModelRequest):
    """Latents to decode."""

    latents: Annotated[list[Latent], BeforeValidator(_bounded)] = Field(min_length=1)


class SampleRequest(ModelRequest):
    """How many images to sample from the prior, and which."""

    n: int = Field(1, ge=1, le=MAX_IMAGES, description="Images.")
    seed: Seed | None = Field(None, description="Image i has seed `seed + i`; random if absent.")
    temperature: FiniteFloat = Field(
        1.0, ge=0, le=2, description="Scale of the noise; below 1 is closer to the average."
    )
    prior: Prior = Field("fitted", description="Fitted to the encoded training set, or N(0, I).")

    @model_validator(mode="after")
    def _last_seed_in_range(self) -> Self:
        if self.seed is not None and self.seed + self.n - 1 > MAX_SEED:
            raise ValueError(f"seed + n - 1 must be at most {MAX_SEED}")
        return self


class InterpolateRequest(ImageOptions):
    """Two operands and the path between them."""

    start: Operand
    end: Operand
    steps: int = Field(8, ge=2, le=MAX_IMAGES, description="Images, both ends included.")
    method: Method = Field("slerp", description="Along the great circle, or straight.")


class ArithmeticRequest(ImageOptions):
    """A sum of weighted names, and the operands it names."""

    expression: str = Field(description="For example `men - women + her` or `me + 1.5*glasses`.")
    operands: dict[
        Name, Annotated[list[Operand], BeforeValidator(_as_list), Field(min_length=1)]
    ] = Field(default_factory=dict, description="One or more operands a name; their mean counts.")
    strength: Strength = Field(
        1.0,
        description="Factor of the weights of the directions, 0 to 2; or `auto`: the least of 1, "
        "1.25, 1.5, 1.75 and 2 at which the model's auxiliary classifier sees what was added and "
        "no longer sees what was subtracted, or the nearest to that. With `preserve` or "
        "`paste` it is looked for in the edited photograph, and 0 is taken where nothing is to be "
        "subtracted. The response says which, in `strength` and in the header "
        "`Lorgnette-Strength`.",
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
    quality: int | None = Field(
        None,
        ge=1,
        le=100,
        description="Of a response as JPEG or WebP; 90 if absent. Others are lossless and have "
        "none.",
    )
