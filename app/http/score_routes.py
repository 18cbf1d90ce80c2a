"""The endpoint that says how well the model explains images."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from app.http import examples
from app.http.examples import IMAGE
from app.http.guarded_route import GuardedRoute, operation_id
from app.http.image_schemas import ScoreRequest
from app.http.model_call import ModelCall, ModelCallDependency
from app.http.negotiation import JSON
from app.http.openapi import body, ok_response
from app.http.response_schemas import ScoresResponse
from app.http.responses import scores_as_json
from app.http.routes import IMAGE_FILES, MODEL_ERRORS
from app.operations.score import score_images

router = APIRouter(route_class=GuardedRoute, generate_unique_id_function=operation_id)


@router.post(
    "/score",
    name="score",
    responses={
        200: {
            **ok_response("The scores.", JSON, example=examples.SCORES),
            "model": ScoresResponse,
        },
        **MODEL_ERRORS,
    },
    openapi_extra=body(ScoreRequest, {"image": [IMAGE]}, files=("image",), raw=True),
)
async def post_score(
    call: Annotated[
        ModelCall[ScoreRequest],
        Depends(ModelCallDependency(ScoreRequest, (JSON,), IMAGE_FILES)),
    ],
) -> Response:
    """How well the model explains each image: reconstruction error, KL, ELBO, and its rank."""
    params = call.params
    scores = await score_images(call.context, params.image, params.fit)
    return await call.respond(lambda: scores_as_json(call.context.model.id, scores))
