"""The fields of responses in JSON."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from app.inference.registry import Outcome


class HealthResponse(BaseModel):
    """Whether the service is live, or ready."""

    status: Literal["live", "ready"]


class PosteriorResponse(BaseModel):
    """The encoder's posterior of one image."""

    mean: list[float]
    logvar: list[float]


class EncodeResponse(BaseModel):
    """Posteriors in the order of the images."""

    model: str
    latents: list[PosteriorResponse]


class ImagesResponse(BaseModel):
    """Images as base64 PNGs, with the latents they were decoded from."""

    model: str
    detail: float = Field(description="With which they were decoded, 0 to 1.")
    images: list[str]
    latents: list[list[float]]
    seeds: list[int]
    strength: float | None = Field(
        None, description="That was chosen; only of a request with `strength=auto`."
    )
    mask: str | None = Field(
        None, description="Where an edit changes its photograph; only of a request with `mask`."
    )


class DirectionResponse(BaseModel):
    """A named direction of a model."""

    name: str
    saved: bool = Field(description="By a user, and not a part of the checkpoint.")
    meaning: str
    scale: float = Field(description="Length of one mean step from without to with.")
    method: str
    count: int = Field(description="Images it was made from.")
    kinds: int = Field(
        description="Axes along which images with the label differ and others do not (of glasses: "
        "frames). They are removed with the direction when it is subtracted."
    )


class DirectionsResponse(BaseModel):
    """The named directions of a model."""

    model: str
    complete: bool = Field(
        description="False while the database of saved directions does not respond; the list then "
        "has those of the checkpoint."
    )
    directions: list[DirectionResponse]


class ClassifierResponse(BaseModel):
    """The auxiliary classifier of a model, which `strength=auto` asks."""

    sha256: str
    labels: list[str] = Field(description="That it knows.")
    accuracy: dict[str, float] = Field(description="On test images, by label, 0 to 1.")


class ModelResponse(BaseModel):
    """A loaded model, by the metadata of its checkpoint."""

    name: str
    id: str = Field(description="`NAME@SHA256-12`, as in the header `Lorgnette-Model`.")
    sha256: str
    device: str
    config: dict[str, Any]
    parameters: int
    max_detail: float = Field(description="Of its images: 1 with a detail branch, else 0.")
    alignment_template: list[tuple[float, float]] | None = Field(
        description="Where an aligned face has left eye, right eye, nose, left and right corner of "
        "the mouth, in pixels; null where images are not aligned."
    )
    auxiliary_classifier: ClassifierResponse | None = Field(
        description="For `strength=auto`; null where the model has none."
    )
    labels: list[str]
    directions: list[str]
    metrics: dict[str, Any]
    provenance: dict[str, Any]


class ModelsResponse(BaseModel):
    """The loaded models, the default first."""

    models: list[ModelResponse]


class ReloadResponse(BaseModel):
    """What came of loading a model again."""

    outcome: Outcome = Field(description="`unchanged` if its files are those that were loaded.")
    former: str = Field(description="`NAME@SHA256-12` before.")
    workers: int = Field(description="Processes that serve the model now.")
    model: ModelResponse


class LandmarksResponse(BaseModel):
    """Points of a face, each x and y. Left and right are as seen in the image."""

    left_eye: tuple[float, float]
    right_eye: tuple[float, float]
    nose: tuple[float, float]
    left_mouth_corner: tuple[float, float]
    right_mouth_corner: tuple[float, float]


class FaceResponse(BaseModel):
    """A face in a photograph."""

    box: tuple[float, float, float, float] = Field(
        description="Left, top, right and bottom; it may reach over the edges of the photograph."
    )
    score: float = Field(description="0 to 1.")
    landmarks: LandmarksResponse


class PhotographResponse(BaseModel):
    """The faces in a photograph, the largest first."""

    width: int = Field(description="Of the upright photograph.")
    height: int = Field(description="Of the upright photograph.")
    faces: list[FaceResponse]


class FacesResponse(BaseModel):
    """Faces in pixels of the upright photographs, in the order of the photographs."""

    images: list[PhotographResponse]


class ScoreResponse(BaseModel):
    """How well the model explains an image, by one draw of its posterior."""

    mse: float = Field(description="Mean squared error of the reconstruction, of pixels 0 to 1.")
    distortion_nats: float = Field(
        description="Negative log-likelihood of the pixels around the reconstruction. A density, "
        "so it may be negative, except where the model's pixels are Bernoulli."
    )
    kl_nats: float = Field(description="KL of the posterior to the standard normal prior.")
    elbo_nats: float = Field(
        description="Evidence lower bound: minus the sum of `distortion_nats` and `kl_nats`."
    )
    percentile: float | None = Field(
        description="Percentage of images like those of the training set that have a higher bound, "
        "0 to 100: near 100 the image is unusual for this model, near 0 it is unusually simple. "
        "Null where the checkpoint has no statistics (`training image-statistics` adds them)."
    )


class ScoresResponse(BaseModel):
    """Scores in the order of the images."""

    model: str
    scores: list[ScoreResponse]


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
