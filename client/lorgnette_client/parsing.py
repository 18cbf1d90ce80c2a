"""Responses of the service as results."""

import base64
import io
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

import httpx
import numpy as np
import numpy.typing as npt
from PIL import Image

from lorgnette_client.results import (
    Classifier,
    Direction,
    Directions,
    Edit,
    Face,
    Images,
    Landmarks,
    ModelInfo,
    Photograph,
    Posteriors,
    Reload,
    Score,
    Scores,
)

T = TypeVar("T")


def content(response: httpx.Response) -> bytes:
    """The body as it is."""
    return response.content


def posteriors(response: httpx.Response) -> Posteriors:
    """The response of ``/encode``."""
    body = response.json()
    rows = body["latents"]
    return Posteriors(
        _array([row["mean"] for row in rows]),
        _array([row["logvar"] for row in rows]),
        body["model"],
    )


def images(response: httpx.Response) -> Images:
    """The response of an endpoint that makes several images."""
    body = response.json()
    files = tuple(map(base64.b64decode, body["images"]))
    return Images(
        images=tuple(map(_image, files)),
        files=files,
        latents=_array(body["latents"]),
        seeds=tuple(body["seeds"]),
        model=body["model"],
        detail=body["detail"],
    )


def edit(response: httpx.Response) -> Edit:
    """The response of ``/arithmetic``."""
    body = response.json()
    file = base64.b64decode(body["images"][0])
    mask = body.get("mask")
    return Edit(
        image=_image(file),
        file=file,
        latent=_array(body["latents"][0]),
        strength=body.get("strength"),
        mask=None if mask is None else _image(base64.b64decode(mask)),
        model=body["model"],
        detail=body["detail"],
    )


def scores(response: httpx.Response) -> Scores:
    """The response of ``/score``."""
    body = response.json()
    return Scores(tuple(_picked(Score, score) for score in body["scores"]), body["model"])


def photographs(response: httpx.Response) -> tuple[Photograph, ...]:
    """The response of ``/faces``."""
    return tuple(
        Photograph(photo["width"], photo["height"], tuple(map(_face, photo["faces"])))
        for photo in response.json()["images"]
    )


def direction(response: httpx.Response) -> Direction:
    """The response about one direction."""
    return _picked(Direction, response.json())


def directions(response: httpx.Response) -> Directions:
    """The response of ``/directions``."""
    body = response.json()
    listed = tuple(_picked(Direction, item) for item in body["directions"])
    return Directions(body["model"], body["complete"], listed)


def model(response: httpx.Response) -> ModelInfo:
    """The response about one model."""
    return _model(response.json())


def models(response: httpx.Response) -> tuple[ModelInfo, ...]:
    """The response of ``/models``."""
    return tuple(map(_model, response.json()["models"]))


def reload(response: httpx.Response) -> Reload:
    """The response to a request to load a model again."""
    body = response.json()
    return _picked(Reload, body | {"model": _model(body["model"])})


def nothing(_: httpx.Response) -> None:
    """The response whose status says all."""


def _model(body: dict[str, Any]) -> ModelInfo:
    classifier, template = body["auxiliary_classifier"], body["alignment_template"]
    if classifier is not None:
        classifier = _picked(Classifier, classifier | {"labels": tuple(classifier["labels"])})
    if template is not None:
        template = tuple((x, y) for x, y in template)
    return _picked(
        ModelInfo,
        body
        | {
            "alignment_template": template,
            "auxiliary_classifier": classifier,
            "labels": tuple(body["labels"]),
            "directions": tuple(body["directions"]),
        },
    )


def _face(body: Mapping[str, Any]) -> Face:
    left, top, right, bottom = body["box"]
    points = {name: (x, y) for name, (x, y) in body["landmarks"].items()}
    return Face((left, top, right, bottom), body["score"], _picked(Landmarks, points))


def _picked(result: type[T], body: Mapping[str, Any]) -> T:
    """A dataclass of the fields of the same names; those of a newer service are left aside."""
    return result(**{field.name: body[field.name] for field in fields(result)})  # type: ignore[arg-type]


def _image(file: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(file))
    image.load()
    return image


def _array(values: Any) -> npt.NDArray[np.float32]:
    return np.array(values, dtype=np.float32)
