"""The endpoint for those who run the service."""

from fastapi import APIRouter, Request

from app.http import examples
from app.http.context import request_context
from app.http.guarded_route import RELOAD_PATH, GuardedRoute, operation_id
from app.http.info_routes import model_info
from app.http.model_choice import get_service, requested_model
from app.http.openapi import errors, json_response
from app.http.response_schemas import ReloadResponse
from app.operations.reload import reload_model

router = APIRouter(route_class=GuardedRoute, generate_unique_id_function=operation_id)


@router.post(
    RELOAD_PATH,
    name="reload_model",
    responses={
        **json_response("The model serves.", examples.RELOAD, model=True),
        **errors(401, 403, 404, 405, 409, 503, 504, other_examples=examples.RELOAD_ERRORS),
    },
)
async def reload(request: Request, name: str) -> ReloadResponse:
    """Load a model again whose file has changed, in all workers; if it is broken, nothing changes.

    It needs an admin key where the service has such keys; else it must come from the same machine.
    """
    loaded = requested_model(request, name)
    reloaded = await reload_model(get_service(request), loaded.name)
    request_context(request.scope).model_id = reloaded.model.id
    return ReloadResponse(
        outcome=reloaded.outcome,
        former=reloaded.former,
        workers=reloaded.workers,
        model=await model_info(request, reloaded.model.name),
    )
