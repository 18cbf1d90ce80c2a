"""The endpoints that make a path of images: between operands, or along directions."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from app.http import schemas
from app.http.examples import IMAGE
from app.http.guarded_route import GuardedRoute, operation_id
from app.http.model_call import ModelCall, ModelCallDependency
from app.http.multipart import FormFields
from app.http.openapi import body, ok_response
from app.http.request_parsing import BodyForms
from app.http.routes import IMAGES, MODEL_ERRORS
from app.operations.interpolate import PathPoint, interpolate
from app.operations.operands import Operand
from app.operations.traverse import traverse

PATH_POINTS = BodyForms(multipart=FormFields(groups=("start", "via", "end")))
ONE_OPERAND = BodyForms(multipart=FormFields(groups=("operand",)))

router = APIRouter(route_class=GuardedRoute, generate_unique_id_function=operation_id)


@router.post(
    "/interpolate",
    name="interpolate",
    responses={200: ok_response("The path, as one row.", *IMAGES), **MODEL_ERRORS},
    openapi_extra=body(
        schemas.InterpolateRequest,
        {"start": {"image": IMAGE}, "via": [{"seed": 3}], "end": {"seed": 7}, "steps": 8},
        files=("start", "via", "end"),
    ),
)
async def post_interpolate(
    call: Annotated[
        ModelCall[schemas.InterpolateRequest],
        Depends(ModelCallDependency(schemas.InterpolateRequest, IMAGES, PATH_POINTS)),
    ],
) -> Response:
    """A smooth path from one operand to another, or through several, both ends included."""
    params = call.params
    images = await interpolate(
        call.context,
        [
            _point("start", params.start),
            *([point] for point in _point("via", params.via)),
            _point("end", params.end),
        ],
        steps=params.steps,
        method=params.method,
        easing=params.easing,
        fit=params.fit,
        embedded=params.embedded,
    )
    return await call.respond_with_images(images, columns=len(images))


@router.post(
    "/traverse",
    name="traverse",
    responses={200: ok_response("A row, or a grid.", *IMAGES), **MODEL_ERRORS},
    openapi_extra=body(
        schemas.TraverseRequest,
        {"operand": {"seed": 7}, "along": "glasses", "across": 1, "steps": 3},
        files=("operand",),
    ),
)
async def post_traverse(
    call: Annotated[
        ModelCall[schemas.TraverseRequest],
        Depends(ModelCallDependency(schemas.TraverseRequest, IMAGES, ONE_OPERAND)),
    ],
) -> Response:
    """An operand, changed along a direction or principal axis, or along two."""
    params = call.params
    images = await traverse(
        call.context,
        _operands(params.operand),
        params.to_traversal(),
        fit=params.fit,
        embedded=params.embedded,
    )
    return await call.respond_with_images(images, columns=params.steps)


def _operands(group: Sequence[schemas.Operand]) -> list[Operand]:
    return [operand.to_operand() for operand in group]


def _point(field: str, group: Sequence[schemas.Operand]) -> PathPoint:
    return [((field, i), operand) for i, operand in enumerate(_operands(group))]
