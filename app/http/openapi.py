"""What ``/openapi.json`` says beyond the code: request bodies in all forms, examples, errors."""

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from app.http import schemas
from app.http.responses import JSON, NPY

Json = dict[str, Any]

FILE: Json = {"type": "string", "format": "binary", "description": "A picture file."}
PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)

WHEN = {
    400: ("unreadable-body", "the body is not JSON: EOF while parsing an object at column 9"),
    401: ("no-key", "send your key: Authorization: Bearer KEY"),
    403: ("wrong-key", "this key is not known here"),
    404: ("unknown-model", "no model 'cats'; loaded are faces"),
    405: ("method-not-allowed", "GET is not taken at /sample"),
    406: ("not-acceptable", "Accept is 'text/html'; this endpoint answers image/png"),
    408: ("slow-body", "no whole body within 30 seconds"),
    413: ("too-large", "the body is larger than the limit of 33554432 bytes"),
    415: (
        "body-type",
        "text/plain is not taken here; send multipart/form-data or application/json",
    ),
    422: ("invalid", "#/steps: Input should be greater than or equal to 2"),
    429: ("rate", "this key may make 60 requests a minute"),
    503: ("queue-full", "512 pictures are waiting and the queue takes 512"),
    504: ("deadline", "not answered within 30 seconds"),
}


def errors(*statuses: int) -> dict[int | str, Json]:
    """The ``responses`` entries of these errors, each with an example."""
    entries: dict[int | str, Json] = {}
    for status in statuses:
        name, detail = WHEN[status]
        phrase = HTTPStatus(status).phrase
        example: Json = {
            "type": f"urn:lorgnette:{name}",
            "title": phrase,
            "status": status,
            "detail": detail,
            "instance": "0b0f4f2c9c4f4a0e8f1f8d4d7f5f6f10",
        }
        if status == 422:
            pointer, _, text = detail.partition(": ")
            example["errors"] = [{"pointer": pointer, "detail": text}]
        entries[status] = {
            "description": phrase,
            "content": {
                "application/problem+json": {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "example": example,
                }
            },
        }
        if status in (429, 503):
            entries[status]["headers"] = {
                "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}
            }
    return entries


def answer(description: str, *media: str, example: Json | None = None) -> Json:
    """The 200 entry of an endpoint that answers in these media types.

    Args:
        description: of the answer.
        media: types, the preferred first.
        example: of the JSON form where it is no ``ImagesResponse``; FastAPI adds its schema.
    """
    content: Json = {}
    for media_type in media:
        if media_type == JSON and example is not None:
            content[JSON] = {"example": example}
        elif media_type == JSON:
            content[JSON] = {
                "schema": {"$ref": "#/components/schemas/PicturesAnswer"},
                "example": PICTURES,
            }
        else:
            content[media_type] = {"schema": {"type": "string", "format": "binary"}}
    return {"description": description, "content": content, "headers": HEADERS}


HEADERS: Json = {
    "Lorgnette-Model": {"schema": {"type": "string"}, "description": "`NAME@SHA256-12`."},
    "Server-Timing": {
        "schema": {"type": "string"},
        "description": "`queue`, `model` and `png` in milliseconds.",
    },
    "X-Request-ID": {"schema": {"type": "string"}, "description": "The caller's, or a new one."},
}

PICTURES: Json = {
    "model": "faces@0123456789ab",
    "images": [PICTURE],
    "latents": [[0.12, -0.7, 1.03]],
    "seeds": [7],
}
ENCODED: Json = {
    "model": "faces@0123456789ab",
    "latents": [{"mean": [0.12, -0.7, 1.03], "logvar": [-3.1, -2.9, -3.4]}],
}


DIRECTIONS: Json = {
    "model": "faces@0123456789ab",
    "directions": [
        {
            "name": "glasses",
            "meaning": "glasses: from 0 to 1",
            "scale": 4.2,
            "method": "regression on age, glasses, male",
            "count": 13840,
            "kinds": 40,
        }
    ],
}
METRICS = 'lorgnette_http_requests_total{path="/sample",status="200"} 1.0\n'
MODEL: Json = {
    "name": "faces",
    "id": "faces@0123456789ab",
    "sha256": "0123456789ab" + 52 * "0",
    "device": "cpu",
    "config": {"family": "residual", "channels": 3, "size": 256, "latent_dim": 128},
    "parameters": 8500000,
    "labels": ["age", "glasses", "male"],
    "directions": ["age", "glasses", "male"],
    "metrics": {"psnr_db": 24.5},
    "provenance": {"data": "faces.zip", "licence": "non-commercial research use only"},
}


def shown(description: str, example: Json) -> dict[int | str, Json]:
    """The 200 entry of an endpoint that answers JSON; FastAPI adds the schema."""
    return {200: {"description": description, "content": {JSON: {"example": example}}}}


def body(
    schema: type[BaseModel],
    example: Json,
    files: tuple[str, ...] = (),
    raw: bool = False,
    required: bool = True,
) -> Json:
    """``openapi_extra`` for a request that may come as JSON, multipart or a bare picture.

    Args:
        schema: of the JSON form.
        example: of the JSON form.
        files: fields that are files in the multipart form; empty if there is no such form.
        raw: whether a bare picture is taken.
        required: whether an empty body is refused.
    """
    shape = schema.model_json_schema(ref_template="#/components/schemas/{model}")
    shape.pop("$defs", None)
    content: Json = {}
    if files:
        rest = {k: v for k, v in shape["properties"].items() if k not in (*files, "operands")}
        many: Json = {"type": "array", "items": FILE} if files == ("image",) else FILE
        form = {"type": "object", "properties": {**dict.fromkeys(files, many), **rest}}
        if "operands" in shape["properties"]:
            form["additionalProperties"] = {"type": "array", "items": FILE}
        form["required"] = [name for name in shape.get("required", []) if name != "operands"]
        content["multipart/form-data"] = {"schema": form}
    content[JSON] = {"schema": shape, "example": example}
    if raw:
        content["image/*"] = {"schema": FILE}
    return {"requestBody": {"required": required, "content": content}}


def with_npy(extra: Json) -> Json:
    """The same request, which may also come as an ``.npy`` array ``(N, D)``."""
    extra["requestBody"]["content"][NPY] = {"schema": {"type": "string", "format": "binary"}}
    return extra


COMPONENTS = (schemas.Operand, schemas.ImagesResponse, schemas.EncodeResponse, schemas.Problem)
