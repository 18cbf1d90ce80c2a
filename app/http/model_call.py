"""What the endpoints that run a model have in common: before the operation, and after it."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from fastapi import Query, Request, Response
from pydantic import BaseModel

from app.http.body_budget import ReservedImagePool
from app.http.caching import check_caches
from app.http.context import request_context
from app.http.model_choice import ModelName, get_service, requested_model
from app.http.negotiation import FORMATS, JSON, NPY, negotiate
from app.http.option_schemas import AlignmentOptions, ModelRequest
from app.http.output import STREAMED, Output, chosen_output
from app.http.request_parsing import BodyForms, read_request
from app.http.responses import (
    EncodedResponse,
    ImageSource,
    edit_as_file,
    edit_as_json,
    images_as_file,
    images_as_json,
    latents_as_npy,
)
from app.http.sequences import parts_of_sequence
from app.http.streaming import StreamedResponse
from app.images.contact_sheet import grid
from app.observability.metrics import Metrics
from app.observability.timing import Span
from app.operations.arithmetic import ArithmeticResult
from app.operations.context import Context, ImageRunner, chosen_detail
from app.operations.decode import PlannedImage, decode_all
from app.operations.faces import chosen_alignment

M = TypeVar("M", bound=BaseModel)

FormatName = Annotated[
    str | None,
    Query(
        alias="format",
        description=f"{', '.join(f'`{name}`' for name in FORMATS)}: in place of Accept.",
    ),
]


@dataclass(frozen=True, slots=True)
class ModelCall(Generic[M]):
    """A request to an endpoint that runs a model, ready for its operation.

    Attributes:
        params: the fields of the request.
        output: how the images of the response are drawn.
        context: for the operation.
    """

    params: M
    output: Output
    context: Context
    _http_version: str
    _image_pool: ImageRunner
    _metrics: Metrics
    _deadline: float  # by the clock of the event loop

    @property
    def media_type(self) -> str:
        """Of the response."""
        return self.output.media_type

    @property
    def _source(self) -> ImageSource:
        return ImageSource(self.context.model.id, self.context.detail, self.output)

    async def respond_with_images(
        self,
        planned: Sequence[PlannedImage],
        columns: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """The response with these images, in the media type that was negotiated.

        Args:
            planned: at least one. As npy they are not decoded.
            columns: of a contact sheet of several; None makes it as square as possible.
            headers: beside those of every response.

        Raises:
            ImageTooLargeError: if the response would be too large.
        """
        if self.media_type == NPY:
            return await self.respond(lambda: latents_as_npy(planned), headers)
        side = self.output.size or self.context.model.checkpoint.model.config.size
        limit = self.context.limits.max_image_memory
        memory = self.output.check_memory(*grid(len(planned), columns), side, 2 * limit)
        if self.media_type in STREAMED:
            return await self._respond_in_parts(planned, headers)
        images = await decode_all(self.context, planned)
        source = self._source

        def encode() -> EncodedResponse:
            if self.media_type == JSON:
                return images_as_json(source, images)
            return images_as_file(source, images, columns)

        return await self.respond(encode, headers, serial=memory > limit // 2)

    async def respond_with_edit(self, result: ArithmeticResult) -> Response:
        """The response with an edit, in the media type that was negotiated.

        A photograph in it is encoded already, as ``output`` says.
        """
        source, strength = self._source, result.image.strength
        headers = None if strength is None else {"Lorgnette-Strength": f"{strength:g}"}
        encode = edit_as_json if self.media_type == JSON else edit_as_file
        return await self.respond(lambda: encode(source, result), headers)

    async def respond(
        self,
        encode: Callable[[], EncodedResponse],
        headers: Mapping[str, str] | None = None,
        *,
        serial: bool = False,
    ) -> Response:
        """The response that ``encode`` makes on an image thread.

        Args:
            encode: makes the body.
            headers: beside those of every response.
            serial: for a large response: no other large image is processed at the same time.
        """
        timing = self.context.timing
        started = time.perf_counter()
        if serial:
            [encoded] = await self._image_pool.map(lambda f: f(), [encode], serial=True)
        else:
            encoded = await self._image_pool.run(encode)
        ended = time.perf_counter()
        timing.encode = ended - started
        timing.spans.append(Span("encode", started, ended, {"media_type": encoded.media_type}))
        self._metrics.response_encode_seconds.observe(timing.encode)
        return Response(encoded.body, headers=self._headers(headers), media_type=encoded.media_type)

    async def _respond_in_parts(
        self, planned: Sequence[PlannedImage], headers: Mapping[str, str] | None
    ) -> Response:
        """The response whose body is made in parts, of which the first is made now."""
        parts = parts_of_sequence(
            self.context, self._source, planned, self._image_pool, self._metrics
        )
        if self._http_version == "1.0":  # which has no chunks
            async with aclosing(parts):
                body = b"".join([part async for part in parts])
            return Response(body, headers=self._headers(headers), media_type=self.media_type)
        first = await anext(parts)
        seconds = self._deadline - asyncio.get_running_loop().time()
        return StreamedResponse(first, parts, seconds, self._headers(headers), self.media_type)

    def _headers(self, headers: Mapping[str, str] | None) -> dict[str, str]:
        timing = self.context.timing
        stages = (("queue", timing.queue), ("model", timing.model), ("encode", timing.encode))
        server_timing = ", ".join(f"{name};dur={1000 * s:.2f}" for name, s in stages)
        return {"Server-Timing": server_timing, "Vary": "Accept", **(headers or {})}


class ModelCallDependency(Generic[M]):
    """The FastAPI dependency that makes a ``ModelCall`` of a request.

    Errors are raised in this order: the model, the media type of the response, the body.

    Args:
        schema: of the fields of the request.
        offered: media types of the response, the preferred first.
        forms: that the body may have beside JSON.
        undrawn: media types of the response that have no images.
    """

    def __init__(
        self,
        schema: type[M],
        offered: Sequence[str],
        forms: BodyForms,
        undrawn: Sequence[str] = (NPY,),
    ) -> None:
        self._schema, self._offered, self._forms = schema, offered, forms
        self._undrawn = undrawn

    async def __call__(
        self, request: Request, model: ModelName = None, format_name: FormatName = None
    ) -> ModelCall[M]:
        """Find the model, negotiate the media type, and read the body."""
        service = get_service(request)
        seconds = service.settings.request_timeout_seconds
        deadline = asyncio.get_running_loop().time() + seconds
        current = request_context(request.scope)
        loaded = requested_model(request, model)
        accept = ", ".join(request.headers.getlist("accept"))
        media_type = negotiate(accept, format_name, self._offered)
        assert current.reservation is not None
        pool = ReservedImagePool(service.image_pool, current.reservation)
        params = await read_request(
            request, self._schema, self._forms, service.settings, loaded.dim, pool
        )
        own_size = loaded.checkpoint.model.config.size
        output = chosen_output(media_type, params, own_size, self._undrawn)
        requested = params.detail if isinstance(params, ModelRequest) else None
        detail = chosen_detail(loaded, requested)
        check_caches(request, service.settings, loaded, detail, params, media_type)
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
        return ModelCall(
            params,
            output,
            context,
            request.scope["http_version"],
            service.image_pool,
            request.app.state.metrics,
            deadline,
        )
