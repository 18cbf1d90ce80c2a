"""The endpoint that finds faces; it runs none of the loaded models."""

from fastapi import APIRouter, Request

from app.http import examples
from app.http.body_budget import ReservedImagePool
from app.http.context import request_context
from app.http.examples import IMAGE
from app.http.guarded_route import GuardedRoute, operation_id
from app.http.image_schemas import FacesRequest
from app.http.model_call import FormatName
from app.http.model_choice import get_service
from app.http.multipart import FormFields
from app.http.negotiation import JSON, negotiate
from app.http.openapi import body, errors, json_response
from app.http.request_parsing import BodyForms, read_request
from app.http.response_schemas import (
    FaceResponse,
    FacesResponse,
    LandmarksResponse,
    PhotographResponse,
)
from app.operations.context import Resources, image_fields
from app.operations.faces import SearchedPhotograph, find_faces
from vae.faces.detector import Face

PHOTOGRAPHS = BodyForms(multipart=FormFields(images="image"), image="image")

router = APIRouter(route_class=GuardedRoute, generate_unique_id_function=operation_id)


@router.post(
    "/faces",
    name="faces",
    responses={
        **json_response("The faces.", examples.FACES),
        **errors(400, 401, 405, 406, 408, 413, 415, 422, 429, 503, 504),
    },
    openapi_extra=body(FacesRequest, {"image": [IMAGE]}, files=("image",), raw=True),
)
async def post_faces(request: Request, format_name: FormatName = None) -> FacesResponse:
    """The faces in each photograph: boxes, landmarks and scores, the largest face first."""
    service = get_service(request)
    current = request_context(request.scope)
    negotiate(", ".join(request.headers.getlist("accept")), format_name, (JSON,))
    assert current.reservation is not None
    pool = ReservedImagePool(service.image_pool, current.reservation)
    params = await read_request(
        request, FacesRequest, PHOTOGRAPHS, service.settings, dim=0, image_pool=pool
    )
    resources = Resources(pool, service.limits, current.timing, service.models.faces)
    found = await find_faces(resources, image_fields(params.image))
    return FacesResponse(images=list(map(_response, found)))


def _response(found: SearchedPhotograph) -> PhotographResponse:
    faces = [_face(face) for face in found.faces]
    return PhotographResponse(width=found.header.width, height=found.header.height, faces=faces)


def _face(face: Face) -> FaceResponse:
    """A face, to a tenth of a pixel."""
    names = LandmarksResponse.model_fields
    landmarks = {
        name: (round(x, 1), round(y, 1)) for name, (x, y) in zip(names, face.landmarks, strict=True)
    }
    left, top, right, bottom = (round(value, 1) for value in face.box)
    return FaceResponse(
        box=(left, top, right, bottom),
        score=round(face.score, 4),
        landmarks=LandmarksResponse.model_validate(landmarks),
    )
