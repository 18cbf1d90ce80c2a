"""The options that requests of several endpoints have, with their limits."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from app.images.animation import MAX_FPS, MAX_LOOP, MIN_FPS
from app.images.resizing import MAX_SIZE, MIN_SIZE
from app.operations.faces import Align
from vae.preprocessing import Fit

MAX_FACE = 100  # a number of a face in a photograph


class Request(BaseModel):
    """The fields of a request; others are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelRequest(Request):
    """What every request that makes images may have."""

    detail: Annotated[FiniteFloat, Field(ge=0, le=1)] | None = Field(
        None,
        description="0 for the smooth image of least squared error, 1 for the sharp one, or a "
        "blend. If absent, the most that the model has (`max_detail` in `GET /models`): 1 with a "
        "detail branch, else 0. More than that is 422, `no-detail`. `/encode` needs it for images.",
    )
    size: int | None = Field(
        None,
        ge=MIN_SIZE,
        le=MAX_SIZE,
        description="Pixels a side of each image of the response (Lanczos); if absent, the "
        "model's own. PNGs of another size carry no latent. With a response without images "
        "(`npy`; of `/encode`, `json`) it is 422.",
    )
    quality: int | None = Field(
        None,
        ge=1,
        le=100,
        description="Of a response as JPEG or WebP; 90 if absent. With others, which have none, it "
        "is 422.",
    )


class SequenceRequest(ModelRequest):
    """What a request may have whose images may be played as an animation."""

    fps: FiniteFloat | None = Field(
        None,
        ge=MIN_FPS,
        le=MAX_FPS,
        description="Images a second of a GIF or animated PNG; 10 if absent. With other media "
        "types it is 422.",
    )
    loop: int | None = Field(
        None,
        ge=0,
        le=MAX_LOOP,
        description="How often a GIF or animated PNG is played; 0, or absent, is without end. With "
        "other media types it is 422.",
    )
    bounce: bool | None = Field(
        None,
        description="Play a GIF or animated PNG forwards and then backwards, without a second "
        "first and last image. With other media types it is 422.",
    )


class AlignmentOptions(Request):
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


class ResizeOptions(AlignmentOptions, ModelRequest):
    """How images are resized and aligned, and how the model makes new ones."""


Embedded = Annotated[
    bool,
    Field(
        description="Read the latent that an image of this model carries, instead of encoding it."
    ),
]


class ImageOptions(ResizeOptions):
    """How images become latents, and latents images."""

    embedded: Embedded = True
