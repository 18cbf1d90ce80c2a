"""The endpoints that run a model: each calls its operation and responds with the result."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from app.http import examples, openapi, schemas
from app.http.body import InvalidError
from app.http.examples import IMAGE
from app.http.guarded_route import GuardedRoute, operation_id
from app.http.model_call import ModelCall, ModelCallDependency
from app.http.multipart import FormFields
from app.http.negotiation import APNG, GIF, JPEG, JSON, NPY, PNG, WEBP, ZIP
from app.http.openapi import SEED_HEADERS, STRENGTH_HEADERS, body, errors, ok_response
from app.http.request_parsing import BodyForms
from app.http.response_schemas import EncodeResponse
from app.http.responses import (
    EncodedResponse,
    posteriors_as_json,
    posteriors_as_npy,
)
from app.operations.arithmetic import ArithmeticOptions, arithmetic
from app.operations.decode import decode
from app.operations.encode import encode
from app.operations.reconstruct import reconstruct
from app.operations.sample import sample

MODEL_ERRORS = errors(400, 401, 404, 405, 406, 408, 413, 415, 422, 429, 503, 504)
OPERANDS = {"a": {"image": IMAGE}, "b": {"seed": 7}}
IMAGES = (PNG, JSON, WEBP, JPEG, GIF, APNG, ZIP, NPY)
ENCODED = (JSON, NPY, PNG, WEBP, JPEG, GIF, APNG, ZIP)
PHOTOGRAPHS = (PNG, JPEG, WEBP, JSON)
OPTIONS = BodyForms(multipart=FormFields())
IMAGE_FILES = BodyForms(multipart=FormFields(images="image"), image="image")
NAMED_OPERANDS = BodyForms(multipart=FormFields(named_operands="operands"))
ARRAY = BodyForms(array="latents")

router = APIRouter(route_class=GuardedRoute, generate_unique_id_function=operation_id)


@router.post(
    "/encode",
    name="encode",
    responses={
        200: {
            **ok_response("Posteriors.", *ENCODED, example=examples.ENCODED),
            "model": EncodeResponse,
        },
        **MODEL_ERRORS,
    },
    openapi_extra=body(schemas.EncodeRequest, {"image": [IMAGE]}, files=("image",), raw=True),
)
async def post_encode(
    call: Annotated[
        ModelCall[schemas.EncodeRequest],
        Depends(ModelCallDependency(schemas.EncodeRequest, ENCODED, IMAGE_FILES, (JSON, NPY))),
    ],
) -> Response:
    """Mean and log-variance of each image; as images, the reconstructions."""
    files, fit = call.params.image, call.params.fit
    if call.media_type not in (JSON, NPY):
        images = await reconstruct(call.context, files, fit=fit, embedded=False)
        return await call.respond_with_images(images)
    posteriors = await encode(call.context, files, fit)

    def encoded() -> EncodedResponse:
        if call.media_type == NPY:
            return posteriors_as_npy(posteriors)
        return posteriors_as_json(call.context.model.id, posteriors)

    return await call.respond(encoded)


@router.post(
    "/decode",
    name="decode",
    responses={200: ok_response("The images.", *IMAGES), **MODEL_ERRORS},
    openapi_extra=openapi.with_npy(body(schemas.DecodeRequest, {"latents": [[0.12, -0.7, 1.03]]})),
)
async def post_decode(
    call: Annotated[
        ModelCall[schemas.DecodeRequest],
        Depends(ModelCallDependency(schemas.DecodeRequest, IMAGES, ARRAY)),
    ],
) -> Response:
    """The image of each latent."""
    return await call.respond_with_images(await decode(call.context, call.params.latents))


@router.post(
    "/reconstruct",
    name="reconstruct",
    responses={200: ok_response("The reconstructions.", *IMAGES), **MODEL_ERRORS},
    openapi_extra=body(
        schemas.ReconstructRequest,
        {"image": [IMAGE], "compare": True},
        files=("image",),
        raw=True,
    ),
)
async def post_reconstruct(
    call: Annotated[
        ModelCall[schemas.ReconstructRequest],
        Depends(ModelCallDependency(schemas.ReconstructRequest, IMAGES, IMAGE_FILES)),
    ],
) -> Response:
    """Each image, encoded and decoded again."""
    params = call.params
    images = await reconstruct(
        call.context,
        params.image,
        fit=params.fit,
        embedded=params.embedded,
        compare=params.compare,
    )
    return await call.respond_with_images(images, columns=2 if params.compare else None)


@router.post(
    "/sample",
    name="sample",
    responses={200: ok_response("The samples.", *IMAGES, headers=SEED_HEADERS), **MODEL_ERRORS},
    openapi_extra=body(schemas.SampleRequest, {"n": 6, "seed": 1}, required=False),
)
async def post_sample(
    call: Annotated[
        ModelCall[schemas.SampleRequest],
        Depends(ModelCallDependency(schemas.SampleRequest, IMAGES, OPTIONS)),
    ],
) -> Response:
    """New images, sampled from the prior; the same seed gives the same image."""
    params = call.params
    images = await sample(call.context, params.n, params.seed, params.temperature, params.prior)
    return await call.respond_with_images(images, headers={"Lorgnette-Seed": str(images[0].seed)})


@router.post(
    "/arithmetic",
    name="arithmetic",
    responses={
        200: ok_response("The image or photograph.", *PHOTOGRAPHS, headers=STRENGTH_HEADERS),
        **MODEL_ERRORS,
    },
    openapi_extra=body(
        schemas.ArithmeticRequest,
        {"expression": "a - b + 1.5*glasses", "operands": OPERANDS},
        files=("a", "b"),
    ),
)
async def post_arithmetic(
    call: Annotated[
        ModelCall[schemas.ArithmeticRequest],
        Depends(ModelCallDependency(schemas.ArithmeticRequest, PHOTOGRAPHS, NAMED_OPERANDS)),
    ],
) -> Response:
    """The image of a sum such as ``men - women + her`` or ``me + 1.5*glasses``."""
    params = call.params
    if params.paste and params.size is not None:
        detail = "a photograph keeps its full size; leave out size or paste"
        raise InvalidError([("#/size", detail)])
    options = ArithmeticOptions(
        strength=params.strength,
        preserve=params.preserve,
        paste_as=call.output.encoding if params.paste else None,
        mask=params.mask,
        fit=params.fit,
        embedded=params.embedded,
    )
    operands = {name: [o.to_operand() for o in group] for name, group in params.operands.items()}
    result = await arithmetic(call.context, params.expression, operands, options)
    return await call.respond_with_edit(result)
