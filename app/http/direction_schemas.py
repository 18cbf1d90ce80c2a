"""The fields of requests about named directions."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from app.http.option_schemas import AlignmentOptions, Embedded, SequenceRequest
from app.http.schemas import MAX_IMAGES, Group, Name, Seed, bounded


def _as_names(value: object) -> object:
    """In a form, names are separated by commas."""
    return (
        [name.strip() for name in value.split(",") if name.strip()]
        if isinstance(value, str)
        else bounded(value)
    )


Names = Annotated[list[Name], BeforeValidator(_as_names)]


class DirectionRequest(AlignmentOptions):
    """What a new direction is made from: two groups, or one group and a direction of the model."""

    positives: Group = Field(alias="with", description="Images with the property.")
    negatives: Group | None = Field(
        None,
        alias="without",
        description="The same without it, or others. Needed without `label`.",
    )
    label: Name | None = Field(
        None,
        description="A direction of the model of which this one is a special case, in place of "
        "`without`: of `glasses`, one frame. Such a direction has `kinds` above 0.",
    )
    hold: Names | None = Field(
        None,
        description="Directions of the model along which the new one does not go, although the "
        "groups differ in them. If absent, those of `age`, `male` and `young` that there are.",
    )
    meaning: str | None = Field(
        None, min_length=1, max_length=200, description="One line for those who use it."
    )
    embedded: Embedded = True


class PreviewRequest(SequenceRequest):
    """A sample that is moved along a direction."""

    seed: Seed = Field(0, description="Of the sample.")
    steps: int = Field(5, ge=2, le=MAX_IMAGES, description="Images, from -2 to 2 steps.")
