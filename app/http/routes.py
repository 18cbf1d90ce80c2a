"""The endpoints, a few lines each: read, validate, serve, answer."""

import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import JSONResponse

from app.http import openapi as documentation
from app.http import request_parsing as forms
from app.http import responses as answers
from app.http import schemas
from app.http.guarded_route import GuardedRoute, get_service
from app.http.openapi import PICTURE, body, errors, shown
from app.http.responses import JSON, NPY, PNG, Answer
from app.inference.registry import LoadedModel
from app.observability.metrics import MEDIA_TYPE
from app.observability.timing import Span, Timing
from app.operations.service import DecodedImage, Service

ModelName = Annotated[str | None, Query(description="One of the loaded models.")]
Format = Annotated[str | None, Query(description="`png`, `json` or `npy`, in place of Accept.")]
PICTURE_ERRORS = errors(400, 401, 403, 404, 405, 406, 408, 413, 415, 422, 429, 503, 504)
OPERANDS = {"a": {"image": PICTURE}, "b": {"seed": 7}}


def _timing(request: Request) -> Timing:
    """A new timing, left in the scope for whoever traces the request."""
    timing = request.scope["timing"] = Timing()
    return timing


router = APIRouter(route_class=GuardedRoute)


async def _respond(
    request: Request,
    served: LoadedModel,
    timing: Timing,
    write: Callable[[], Answer],
    headers: dict[str, str],
) -> Response:
    """Write the answer on an image thread and set the headers that every answer has."""
    started = time.perf_counter()
    answer = await get_service(request).image_pool.run(write)
    ended = time.perf_counter()
    timing.encode = ended - started
    timing.spans.append(Span("write", started, ended, {"media_type": answer.media_type}))
    get_service(request).metrics.response_encode_seconds.observe(timing.encode)
    parts = (("queue", timing.queue), ("model", timing.model), ("encode", timing.encode))
    headers = {
        **headers,
        "Lorgnette-Model": served.id,
        "Server-Timing": ", ".join(f"{name};dur={1000 * s:.2f}" for name, s in parts),
        "Vary": "Accept",
    }
    return Response(answer.body, headers=headers, media_type=answer.media_type)


async def _pictures(
    request: Request,
    served: LoadedModel,
    timing: Timing,
    drawn: Sequence[DecodedImage],
    media_type: str,
    columns: int | None = None,
    seed: int | None = None,
) -> Response:
    def write() -> Answer:
        if media_type == JSON:
            return answers.pictures_as_json(served.id, drawn)
        return answers.pictures_as_png(served.id, drawn, columns)

    headers = {} if seed is None else {"Lorgnette-Seed": str(seed)}
    return await _respond(request, served, timing, write, headers)


def _negotiate(request: Request, short_name: str | None, offered: Sequence[str]) -> str:
    accept = ", ".join(request.headers.getlist("accept"))
    return answers.choose(accept, short_name, offered)


@router.post(
    "/encode",
    responses={
        200: {
            **documentation.answer("Posteriors.", JSON, NPY, PNG, example=documentation.ENCODED),
            "model": schemas.EncodeResponse,
        },
        **PICTURE_ERRORS,
    },
    openapi_extra=body(schemas.EncodeRequest, {"image": [PICTURE]}, files=("image",), raw=True),
)
async def encode(request: Request, model: ModelName = None, format: Format = None) -> Response:  # noqa: A002
    """Mean and log-variance of each picture; as PNG, the reconstructions."""
    service, timing = get_service(request), _timing(request)
    served = service.models.get(model)
    media_type = _negotiate(request, format, (JSON, NPY, PNG))
    fields = await forms.read(request, service.settings, raw="image")
    wanted = forms.validate(schemas.EncodeRequest, fields)
    if media_type == PNG:
        copy = schemas.ReconstructRequest(image=wanted.image, fit=wanted.fit, embedded=False)
        drawn = await service.reconstruct(served, copy, timing)
        return await _pictures(request, served, timing, drawn, PNG)
    posteriors = await service.encode(served, wanted, timing)

    def write() -> Answer:
        if media_type == NPY:
            return answers.posteriors_as_npy(posteriors)
        return answers.posteriors_as_json(served.id, posteriors)

    return await _respond(request, served, timing, write, {})


@router.post(
    "/decode",
    responses={200: documentation.answer("The pictures.", PNG, JSON), **PICTURE_ERRORS},
    openapi_extra=documentation.with_npy(
        body(schemas.DecodeRequest, {"latents": [[0.12, -0.7, 1.03]]})
    ),
)
async def decode(request: Request, model: ModelName = None, format: Format = None) -> Response:  # noqa: A002
    """The picture of each latent."""
    service, timing = get_service(request), _timing(request)
    served = service.models.get(model)
    media_type = _negotiate(request, format, (PNG, JSON))
    fields = await forms.read_latents(request, service.settings, served.dim)
    wanted = forms.validate(schemas.DecodeRequest, fields)
    drawn = await service.decode(served, wanted, timing)
    return await _pictures(request, served, timing, drawn, media_type)


@router.post(
    "/reconstruct",
    responses={200: documentation.answer("The copies.", PNG, JSON), **PICTURE_ERRORS},
    openapi_extra=body(
        schemas.ReconstructRequest,
        {"image": [PICTURE], "compare": True},
        files=("image",),
        raw=True,
    ),
)
async def reconstruct(
    request: Request,
    model: ModelName = None,
    format: Format = None,  # noqa: A002
) -> Response:
    """Each picture through the latent space and back."""
    service, timing = get_service(request), _timing(request)
    served = service.models.get(model)
    media_type = _negotiate(request, format, (PNG, JSON))
    fields = await forms.read(request, service.settings, raw="image")
    wanted = forms.validate(schemas.ReconstructRequest, fields)
    drawn = await service.reconstruct(served, wanted, timing)
    columns = 2 if wanted.compare else None
    return await _pictures(request, served, timing, drawn, media_type, columns)


@router.post(
    "/sample",
    responses={200: documentation.answer("The samples.", PNG, JSON), **PICTURE_ERRORS},
    openapi_extra=body(schemas.SampleRequest, {"n": 6, "seed": 1}, required=False),
)
async def sample(request: Request, model: ModelName = None, format: Format = None) -> Response:  # noqa: A002
    """New pictures, drawn from the prior; the same seed gives the same picture."""
    service, timing = get_service(request), _timing(request)
    served = service.models.get(model)
    media_type = _negotiate(request, format, (PNG, JSON))
    fields = await forms.read(request, service.settings)
    wanted = forms.validate(schemas.SampleRequest, fields)
    seed, drawn = await service.sample(served, wanted, timing)
    return await _pictures(request, served, timing, drawn, media_type, seed=seed)


@router.post(
    "/interpolate",
    responses={200: documentation.answer("The path, as one row.", PNG, JSON), **PICTURE_ERRORS},
    openapi_extra=body(
        schemas.InterpolateRequest,
        {"start": {"image": PICTURE}, "end": {"seed": 7}, "steps": 8},
        files=("start", "end"),
    ),
)
async def interpolate(
    request: Request,
    model: ModelName = None,
    format: Format = None,  # noqa: A002
) -> Response:
    """A smooth path from one operand to another, both ends included."""
    service, timing = get_service(request), _timing(request)
    served = service.models.get(model)
    media_type = _negotiate(request, format, (PNG, JSON))
    fields = await forms.read(request, service.settings, operands=("start", "end"))
    wanted = forms.validate(schemas.InterpolateRequest, fields)
    drawn = await service.interpolate(served, wanted, timing)
    return await _pictures(request, served, timing, drawn, media_type, len(drawn))


@router.post(
    "/arithmetic",
    responses={200: documentation.answer("The picture.", PNG, JSON), **PICTURE_ERRORS},
    openapi_extra=body(
        schemas.ArithmeticRequest,
        {"expression": "a - b + 1.5*glasses", "operands": OPERANDS},
        files=("a", "b"),
    ),
)
async def arithmetic(
    request: Request,
    model: ModelName = None,
    format: Format = None,  # noqa: A002
) -> Response:
    """The picture of a sum such as ``men - women + her`` or ``me + 1.5*glasses``."""
    service, timing = get_service(request), _timing(request)
    served = service.models.get(model)
    media_type = _negotiate(request, format, (PNG, JSON))
    fields = await forms.read(request, service.settings, named="operands")
    wanted = forms.validate(schemas.ArithmeticRequest, fields)
    drawn = await service.arithmetic(served, wanted, timing)
    return await _pictures(request, served, timing, [drawn], media_type)


@router.get(
    "/directions",
    responses={
        **shown("The directions.", documentation.DIRECTIONS),
        **errors(401, 403, 404, 405, 429, 504),
    },
)
async def directions(request: Request, model: ModelName = None) -> schemas.DirectionsResponse:
    """The named directions of a model, for use in expressions."""
    served = get_service(request).models.get(model)
    named = [
        schemas.DirectionResponse(
            name=name,
            meaning=d.meaning,
            scale=float(d.vector.norm()),
            method=d.method,
            count=d.count,
            kinds=0 if d.within_label is None else len(d.within_label.rows),
        )
        for name, d in served.checkpoint.directions.items()
    ]
    return schemas.DirectionsResponse(model=served.id, directions=named)


@router.get(
    "/models",
    responses={
        **shown("The models.", {"models": [documentation.MODEL]}),
        **errors(401, 403, 405, 429, 504),
    },
)
async def models(request: Request) -> schemas.ModelsResponse:
    """What is loaded, the default first."""
    service = get_service(request)
    return schemas.ModelsResponse(
        models=[_model_info(service, served) for served in service.models]
    )


@router.get(
    "/models/{name}",
    responses={**shown("The model.", documentation.MODEL), **errors(401, 403, 404, 405, 429, 504)},
)
async def model_info(request: Request, name: str) -> schemas.ModelResponse:
    """What is known about one loaded model."""
    service = get_service(request)
    return _model_info(service, service.models.get(name))


@router.get(
    "/health/live", responses={**shown("It lives.", {"status": "live"}), **errors(405, 504)}
)
async def live() -> schemas.HealthResponse:
    """The process answers."""
    return schemas.HealthResponse(status="live")


@router.get(
    "/health/ready",
    responses={**shown("It is ready.", {"status": "ready"}), **errors(405, 503, 504)},
)
async def ready(request: Request) -> schemas.HealthResponse:
    """Every model has just decoded a canary."""
    await get_service(request).models.check_ready()
    return schemas.HealthResponse(status="ready")


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {
            "description": "Prometheus' text format.",
            "content": {"text/plain": {"example": documentation.METRICS}},
        },
        **errors(401, 403, 405, 429, 504),
    },
)
async def metrics(request: Request) -> Response:
    """Requests, queues, batches and times, for Prometheus."""
    return Response(get_service(request).metrics.text(), media_type=MEDIA_TYPE)


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> Response:
    """All of this with every field, example and error."""
    return JSONResponse(request.app.openapi())


def _model_info(service: Service, served: LoadedModel) -> schemas.ModelResponse:
    checkpoint = served.checkpoint
    config: dict[str, Any] = vars(checkpoint.model.config)
    return schemas.ModelResponse(
        name=served.name,
        id=served.id,
        sha256=checkpoint.sha256,
        device=str(service.models.device),
        config=config,
        parameters=sum(p.numel() for p in checkpoint.model.parameters()),
        labels=checkpoint.labels,
        directions=list(checkpoint.directions),
        metrics=checkpoint.metrics,
        provenance=checkpoint.provenance,
    )
