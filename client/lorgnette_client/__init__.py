"""Typed client of Lorgnette, synchronous and asynchronous."""

from lorgnette_client.async_client import AsyncClient
from lorgnette_client.client import Client
from lorgnette_client.errors import FieldError, LorgnetteError
from lorgnette_client.operands import Group, Operand, Seed
from lorgnette_client.pictures import Picture
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
from lorgnette_client.retries import Retries
from lorgnette_client.version import __version__

__all__ = [
    "AsyncClient",
    "Classifier",
    "Client",
    "Direction",
    "Directions",
    "Edit",
    "Face",
    "FieldError",
    "Group",
    "Images",
    "Landmarks",
    "LorgnetteError",
    "ModelInfo",
    "Operand",
    "Photograph",
    "Picture",
    "Posteriors",
    "Reload",
    "Retries",
    "Score",
    "Scores",
    "Seed",
    "__version__",
]
