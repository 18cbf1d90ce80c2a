"""The endpoints of named directions: to list, save, show and delete them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from app.http import examples, schemas
from app.http.direction_schemas import DirectionRequest, PreviewRequest
from app.http.examples import IMAGE
from app.http.guarded_route import GuardedRoute, operation_id
from app.http.model_call import ModelCall, ModelCallDependency
from app.http.model_choice import ModelName, get_service, requested_model
from app.http.multipart import FormFields
from app.http.negotiation import JSON
from app.http.openapi import (
    MODEL_ID_HEADERS,
    body,
    errors,
    json_response,
    ok_response,
    query_parameters,
)
from app.http.request_parsing import BodyForms
from app.http.response_schemas import DirectionResponse, DirectionsResponse
from app.http.routes import IMAGES
from app.operations.directions import (
    all_directions,
    delete_direction,
    find_direction,
    preview_direction,
)
from app.operations.new_direction import Groups, save_direction
from app.operations.operands import Operand
from app.store.database import StoreError
from vae.directions import Direction

GROUPS = BodyForms(multipart=FormFields(groups=("with", "without")))
NO_BODY = BodyForms()

DirectionName = Annotated[
    str, Path(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$", description="As in expressions.")
]

router = APIRouter(route_class=GuardedRoute, generate_unique_id_function=operation_id)


@router.head("/directions", include_in_schema=False)
@router.get(
    "/directions",
    responses={
        **json_response("The directions.", examples.DIRECTIONS, model=True),
        **errors(401, 404, 405, 429, 504),
    },
)
async def directions(request: Request, model: ModelName = None) -> DirectionsResponse:
    """The named directions of a model, for use in expressions: its own, then the saved ones."""
    loaded = requested_model(request, model)
    own = {name: (d, False) for name, d in loaded.checkpoint.directions.items()}
    try:
        known = await all_directions(loaded.checkpoint, get_service(request).store)
    except StoreError:
        known = None
    listed = [_response(name, d, saved) for name, (d, saved) in (known or own).items()]
    return DirectionsResponse(model=loaded.id, complete=known is not None, directions=listed)


@router.head("/directions/{name}", include_in_schema=False)
@router.get(
    "/directions/{name}",
    responses={
        **json_response("The direction.", examples.SAVED_DIRECTION, model=True),
        **errors(401, 404, 405, 422, 429, 503, 504),
    },
)
async def direction(
    request: Request, name: DirectionName, model: ModelName = None
) -> DirectionResponse:
    """One named direction of a model."""
    loaded = requested_model(request, model)
    found, saved = await find_direction(loaded.checkpoint, get_service(request).store, name)
    return _response(name, found, saved)


@router.put(
    "/directions/{name}",
    name="put_direction",
    responses={
        **json_response("It has taken the place of another.", examples.SAVED_DIRECTION, model=True),
        201: {
            **json_response("It is new.", examples.SAVED_DIRECTION, model=True)[200],
            "model": DirectionResponse,
        },
        **errors(400, 401, 403, 404, 405, 406, 408, 409, 413, 415, 422, 429, 503, 504),
    },
    openapi_extra=body(
        DirectionRequest,
        {"with": [{"image": IMAGE}], "without": [{"seed": 7}], "meaning": "our round frame"},
        files=("with", "without"),
    ),
)
async def put_direction(
    name: DirectionName,
    response: Response,
    call: Annotated[
        ModelCall[DirectionRequest],
        Depends(ModelCallDependency(DirectionRequest, (JSON,), GROUPS)),
    ],
) -> DirectionResponse:
    """Make a direction from two groups of images and save it under a name for expressions."""
    params = call.params
    groups = Groups(
        positives=_operands(params.positives),
        negatives=_operands(params.negatives or []),
        label=params.label,
        hold=params.hold,
    )
    made, created = await save_direction(
        call.context, name, params.meaning, groups, params.fit, params.embedded
    )
    response.status_code = 201 if created else 200
    return _response(name, made, saved=True)


@router.delete(
    "/directions/{name}",
    name="delete_direction",
    status_code=204,
    responses={
        204: {"description": "It is deleted.", "headers": MODEL_ID_HEADERS},
        **errors(401, 403, 404, 405, 409, 422, 429, 503, 504),
    },
)
async def delete(request: Request, name: DirectionName, model: ModelName = None) -> None:
    """Delete a saved direction."""
    loaded = requested_model(request, model)
    await delete_direction(loaded.checkpoint, get_service(request).store, name)


@router.head("/directions/{name}/preview", include_in_schema=False)
@router.get(
    "/directions/{name}/preview",
    name="preview_direction",
    responses={
        200: ok_response("The images, as one row.", *IMAGES),
        **errors(401, 404, 405, 406, 413, 422, 429, 503, 504),
    },
    openapi_extra={"parameters": query_parameters(PreviewRequest)},
)
async def preview(
    name: DirectionName,
    call: Annotated[
        ModelCall[PreviewRequest],
        Depends(ModelCallDependency(PreviewRequest, IMAGES, NO_BODY)),
    ],
) -> Response:
    """A sample moved along a direction, from -2 to 2 steps of it."""
    params = call.params
    images = await preview_direction(call.context, name, params.seed, params.steps)
    return await call.respond_with_images(images, columns=len(images))


def _operands(group: Sequence[schemas.Operand]) -> list[Operand]:
    return [operand.to_operand() for operand in group]


def _response(name: str, found: Direction, saved: bool) -> DirectionResponse:
    return DirectionResponse(
        name=name,
        saved=saved,
        meaning=found.meaning,
        scale=float(found.vector.norm()),
        method=found.method,
        count=found.count,
        kinds=0 if found.within_label is None else len(found.within_label.rows),
    )
