"""The endpoint that fills in the unknown part of an image."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from app.http.examples import HALF_WHITE
from app.http.guarded_route import GuardedRoute, operation_id
from app.http.image_schemas import InpaintRequest
from app.http.model_call import ModelCall, ModelCallDependency
from app.http.multipart import FormFields
from app.http.openapi import SEED_HEADERS, body, ok_response
from app.http.request_parsing import BodyForms
from app.http.routes import IMAGES, MODEL_ERRORS
from app.operations.inpaint import Draws, inpaint

IMAGE_AND_MASK = BodyForms(multipart=FormFields(files=("image", "mask")))

router = APIRouter(route_class=GuardedRoute, generate_unique_id_function=operation_id)


@router.post(
    "/inpaint",
    name="inpaint",
    responses={
        200: ok_response("The filled images.", *IMAGES, headers=SEED_HEADERS),
        **MODEL_ERRORS,
    },
    openapi_extra=body(
        InpaintRequest,
        {"image": HALF_WHITE, "mask": HALF_WHITE, "n": 2, "seed": 1},
        files=("image", "mask"),
    ),
)
async def post_inpaint(
    call: Annotated[
        ModelCall[InpaintRequest],
        Depends(ModelCallDependency(InpaintRequest, IMAGES, IMAGE_AND_MASK)),
    ],
) -> Response:
    """An image whose unknown part is filled in; every known pixel stays as it is."""
    params = call.params
    draws = Draws(params.n, params.seed, params.temperature)
    images = await inpaint(call.context, params.image, params.mask, draws, params.fit)
    return await call.respond_with_images(images, headers={"Lorgnette-Seed": str(images[0].seed)})
