"""``GET /sample``, so that the address of an image is all that a page needs."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from app.http import schemas
from app.http.guarded_route import GuardedRoute, operation_id
from app.http.model_call import ModelCall, ModelCallDependency
from app.http.openapi import SEED_HEADERS, errors, ok_response, query_parameters
from app.http.routes import IMAGES, OPTIONS, post_sample

QUERY = ModelCallDependency(schemas.SampleRequest, IMAGES, OPTIONS)

router = APIRouter(route_class=GuardedRoute, generate_unique_id_function=operation_id)


@router.get(
    "/sample",
    name="sample_by_query",
    responses={
        200: ok_response("The samples.", *IMAGES, headers=SEED_HEADERS),
        **errors(401, 404, 405, 406, 413, 422, 429, 503, 504),
    },
    openapi_extra={"parameters": query_parameters(schemas.SampleRequest)},
)
@router.head("/sample", include_in_schema=False)
async def get_sample(
    call: Annotated[ModelCall[schemas.SampleRequest], Depends(QUERY)],
) -> Response:
    """As ``POST /sample``, with the fields in the query. With a seed, the response can be kept."""
    return await post_sample(call)
