"""The fields of requests about images themselves: their faces, their score, their unknown parts."""

from typing import Self

from pydantic import Field, FiniteFloat, model_validator

from app.http.base64_image import ImageBytes
from app.http.option_schemas import AlignmentOptions, Request, ResizeOptions, SequenceRequest
from app.http.schemas import MAX_IMAGES, Images, Seed, check_last_seed


class FacesRequest(Request):
    """Photographs in which faces are looked for."""

    image: Images


class ScoreRequest(AlignmentOptions):
    """Images to score."""

    image: Images


class InpaintRequest(ResizeOptions, SequenceRequest):
    """An image, and which part of it is unknown."""

    image: ImageBytes
    mask: ImageBytes = Field(
        description="White where the image is unknown, black where it is kept; grey counts as the "
        "nearer of the two. It has the size of `image`, and is fitted and aligned with it; or "
        "the size of the model's images, for the image after that. What is transparent is white."
    )
    n: int = Field(1, ge=1, le=MAX_IMAGES, description="Results, each with another seed.")
    seed: Seed | None = Field(None, description="Result i has seed `seed + i`; random if absent.")
    temperature: FiniteFloat = Field(
        1.0, ge=0, le=2, description="Scale of the noise; 0 gives the most likely result."
    )

    @model_validator(mode="after")
    def _last_seed_in_range(self) -> Self:
        check_last_seed(self.seed, self.n)
        return self
