"""What the endpoints that run a model have in common: before the operation, and after it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from fastapi import Query, Request, Response
from pydantic import BaseModel

from app.http.body_budget import ReservedImagePool
from app.http.context import request_context
from app.http.negotiation import JSON, PNG, negotiate
from app.http.request_parsing import BodyForms, read_request
from app.http.responses import (
    EncodedResponse,
    edit_as_file,
    edit_as_json,
    images_as_json,
    images_as_png,
)
from app.http.schemas import AlignmentOptions, ModelRequest
from app.images.encoding import Encoding
from app.inference.registry import LoadedModel
from app.observability.metrics import Metrics
from app.observability.timing import Span
from app.operations.arithmetic import ArithmeticResult
from app.operations.context import Context, ImageRunner, chosen_detail
from app.operations.decode import DecodedImage
from app.operations.faces import chosen_alignment
from app.operations.service import Service

M = TypeVar("M", bound=BaseModel)

ModelName = Annotated[str | None, Query(description="One of the loaded models.")]
FormatName = Annotated[
    str | None,
    Query(
        alias="format",
        description="`png`, `jpeg`, `webp`, `json` or `npy`, in place of Accept.",
    ),
]


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


@dataclass(frozen=True, slots=True)
class ModelCall(Generic[M]):
    """A request to an endpoint that runs a model, ready for its operation.

    Attributes:
        params: the fields of the request.
        media_type: of the response.
        context: for the operation.
    """

    params: M
    media_type: str
    context: Context
    _image_pool: ImageRunner
    _metrics: Metrics

    async def respond_with_images(
        self,
        images: Sequence[DecodedImage],
        columns: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> Response:
        """The response with these images, in the media type that was negotiated.

        Args:
            images: at least one.
            columns: of a contact sheet of several; None makes it as square as possible.
            headers: beside those of every response.
        """
        model_id, detail = self.context.model.id, self.context.detail

        def encode() -> EncodedResponse:
            if self.media_type == JSON:
                return images_as_json(model_id, detail, images)
            return images_as_png(model_id, detail, images, columns)

        return await self.respond(encode, headers)

    async def respond_with_edit(self, result: ArithmeticResult, encoding: Encoding) -> Response:
        """The response with an edit, in the media type that was negotiated.

        Args:
            result: a photograph is encoded already, as ``encoding`` says.
            encoding: see ``chosen_encoding``.
        """
        model_id, detail = self.context.model.id, self.context.detail
        strength = result.image.strength
        headers = None if strength is None else {"Lorgnette-Strength": f"{strength:g}"}

        def encode() -> EncodedResponse:
            if self.media_type == JSON:
                return edit_as_json(model_id, detail, result)
            if self.media_type == PNG and result.photograph is None and result.mask is None:
                return images_as_png(model_id, detail, [result.image], None)
            return edit_as_file(result, encoding)

        return await self.respond(encode, headers)

    async def respond(
        self, encode: Callable[[], EncodedResponse], headers: dict[str, str] | None = None
    ) -> Response:
        """The response that ``encode`` makes on an image thread."""
        timing = self.context.timing
        started = time.perf_counter()
        encoded = await self._image_pool.run(encode)
        ended = time.perf_counter()
        timing.encode = ended - started
        timing.spans.append(Span("encode", started, ended, {"media_type": encoded.media_type}))
        self._metrics.response_encode_seconds.observe(timing.encode)
        stages = (("queue", timing.queue), ("model", timing.model), ("encode", timing.encode))
        server_timing = ", ".join(f"{name};dur={1000 * s:.2f}" for name, s in stages)
        return Response(
            encoded.body,
            headers={"Server-Timing": server_timing, "Vary": "Accept", **(headers or {})},
            media_type=encoded.media_type,
        )


class ModelCallDependency(Generic[M]):
    """The FastAPI dependency that makes a ``ModelCall`` of a request.

    Errors are raised in this order: the model, the media type of the response, the body.

    Args:
        schema: of the fields of the request.
        offered: media types of the response, the preferred first.
        forms: that the body may have beside JSON.
    """

    def __init__(self, schema: type[M], offered: Sequence[str], forms: BodyForms) -> None:
        self._schema, self._offered, self._forms = schema, offered, forms

    async def __call__(
        self, request: Request, model: ModelName = None, format_name: FormatName = None
    ) -> ModelCall[M]:
        """Find the model, negotiate the media type, and read the body."""
        service = get_service(request)
        current = request_context(request.scope)
        loaded = requested_model(request, model)
        accept = ", ".join(request.headers.getlist("accept"))
        media_type = negotiate(accept, format_name, self._offered)
        assert current.reservation is not None
        pool = ReservedImagePool(service.image_pool, current.reservation)
        params = await read_request(
            request, self._schema, self._forms, service.settings, loaded.dim, pool
        )
        requested = params.detail if isinstance(params, ModelRequest) else None
        detail = chosen_detail(loaded, requested)
        alignment = None
        if isinstance(params, AlignmentOptions):
            alignment = chosen_alignment(loaded, params.align, params.face)
        context = Context(
            image_pool=pool,
            limits=service.limits,
            timing=current.timing,
            faces=service.models.faces,
            model=loaded,
            detail=detail,
            alignment=alignment,
            store=service.store,
        )
        return ModelCall(params, media_type, context, service.image_pool, request.app.state.metrics)
