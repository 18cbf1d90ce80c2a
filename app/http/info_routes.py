"""The endpoints that say what is loaded, whether it runs, and how to use it."""

import math
from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse

from app.http import examples
from app.http.guarded_route import METRICS_PATH, GuardedRoute, operation_id
from app.http.model_choice import get_service, requested_model
from app.http.openapi import errors, json_response
from app.http.response_schemas import (
    ClassifierResponse,
    HealthResponse,
    ModelResponse,
    ModelsResponse,
)
from app.inference.errors import NotReadyError
from app.inference.loaded_model import LoadedModel
from app.observability.metrics import MEDIA_TYPE
from app.operations.service import Service
from vae.attribute_classifier import AttributeClassifier

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

router = APIRouter(route_class=GuardedRoute, generate_unique_id_function=operation_id)


def get(path: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
    """Register an endpoint for GET, and for HEAD, to which the server responds without the body."""

    def register(endpoint: Endpoint) -> Endpoint:
        router.get(path, **options)(endpoint)
        router.head(path, include_in_schema=False)(endpoint)
        return endpoint

    return register


@get(
    "/models",
    responses={
        **json_response("The models.", {"models": [examples.MODEL]}),
        **errors(401, 405, 429, 504),
    },
)
async def models(request: Request) -> ModelsResponse:
    """The loaded models, the default first."""
    service = get_service(request)
    return ModelsResponse(models=[_model_info(service, loaded) for loaded in service.models])


@get(
    "/models/{name}",
    responses={
        **json_response("The model.", examples.MODEL, model=True),
        **errors(401, 404, 405, 429, 504),
    },
)
async def model_info(request: Request, name: str) -> ModelResponse:
    """One loaded model."""
    return _model_info(get_service(request), requested_model(request, name))


@get(
    "/health/live",
    responses={**json_response("It is live.", {"status": "live"}), **errors(405, 504)},
)
async def live() -> HealthResponse:
    """The process responds."""
    return HealthResponse(status="live")


@get(
    "/health/ready",
    responses={**json_response("It is ready.", {"status": "ready"}), **errors(405, 503, 504)},
)
async def ready(request: Request) -> HealthResponse:
    """The models are loaded and can be used: they decoded something lately."""
    if request.app.state.draining:
        raise NotReadyError("the service is draining, and stops soon")
    await get_service(request).models.check_ready()
    return HealthResponse(status="ready")


@get(
    METRICS_PATH,
    response_class=Response,
    responses={
        200: {
            "description": "Prometheus' text format.",
            "content": {"text/plain": {"example": examples.METRICS}},
        },
        **errors(401, 405, 504),
    },
)
async def metrics(request: Request) -> Response:
    """Requests, queues, batches and times, for Prometheus."""
    return Response(request.app.state.metrics.text(), media_type=MEDIA_TYPE)


@get("/openapi.json", include_in_schema=False)
async def openapi_document(request: Request) -> Response:
    """All of this with every field, example and error."""
    return JSONResponse(request.app.openapi())


def _classifier_info(classifier: AttributeClassifier) -> ClassifierResponse:
    known = {label: a for label, a in classifier.accuracy.items() if math.isfinite(a)}
    return ClassifierResponse(
        sha256=classifier.sha256, labels=list(classifier.labels), accuracy=known
    )


def _model_info(service: Service, loaded: LoadedModel) -> ModelResponse:
    checkpoint = loaded.checkpoint
    config: dict[str, Any] = vars(checkpoint.model.config)
    template = checkpoint.alignment_template
    judge = None if loaded.classifier is None else loaded.classifier.classifier
    return ModelResponse(
        name=loaded.name,
        id=loaded.id,
        sha256=checkpoint.sha256,
        device=str(service.models.executor.device),
        config=config,
        parameters=sum(p.numel() for p in checkpoint.model.parameters()),
        max_detail=loaded.max_detail,
        alignment_template=template and list(template),
        auxiliary_classifier=judge and _classifier_info(judge),
        labels=checkpoint.labels,
        directions=list(checkpoint.directions),
        metrics=checkpoint.metrics,
        provenance=checkpoint.provenance,
    )
