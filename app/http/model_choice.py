"""The service of a request, and which of its models the request is for."""

from typing import Annotated

from fastapi import Query, Request

from app.http.context import request_context
from app.inference.loaded_model import LoadedModel
from app.operations.service import Service

ModelName = Annotated[str | None, Query(description="One of the loaded models.")]


def get_service(request: Request) -> Service:
    """The service that this application runs."""
    service: Service = request.app.state.service
    return service


def requested_model(request: Request, name: str | None) -> LoadedModel:
    """The model that a request is for.

    Raises:
        UnknownModelError: if there is none of this name.
    """
    loaded = get_service(request).models.get(name)
    request_context(request.scope).model_id = loaded.id
    return loaded
