"""What ``/openapi.json`` says beyond the code: request bodies in all forms, examples, errors."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.encoders import jsonable_encoder
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from app.http import schemas
from app.http.auth import BEARER, METRICS_BEARER
from app.http.caching_document import add_cache_headers
from app.http.examples import ERROR_EXAMPLES, FILES, IMAGES
from app.http.guarded_route import METRICS_PATH, PUBLIC_PREFIX
from app.http.negotiation import JSON, NPY
from app.http.request_document import FILE, form_schema
from app.http.response_schemas import EncodeResponse, ImagesResponse, Problem

Json = dict[str, Any]


def errors(*statuses: int) -> dict[int | str, Json]:
    """The ``responses`` entries of these errors, each with an example."""
    entries: dict[int | str, Json] = {}
    for status in statuses:
        name, detail = ERROR_EXAMPLES[status]
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
        if status == 401:
            entries[status]["headers"] = {
                "WWW-Authenticate": {
                    "schema": {"type": "string"},
                    "description": '`Bearer`; with `error="invalid_token"` where a key was sent.',
                }
            }
        if status in (429, 503):
            entries[status]["headers"] = {
                "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}
            }
    return entries


def ok_response(
    description: str, *media_types: str, example: Json | None = None, headers: Json | None = None
) -> Json:
    """The 200 entry of an endpoint that runs a model.

    Args:
        description: of the response.
        media_types: that it may have, the preferred first.
        example: of the JSON form where it is no ``ImagesResponse``; FastAPI adds its schema.
        headers: beside those of every response of a model.
    """
    content: Json = {}
    for media_type in media_types:
        if media_type == JSON and example is not None:
            content[JSON] = {"example": example}
        elif media_type == JSON:
            content[JSON] = {
                "schema": {"$ref": "#/components/schemas/ImagesResponse"},
                "example": IMAGES,
            }
        else:
            name = FILES[media_type][0]
            content[media_type] = {
                "schema": {"type": "string", "format": "binary"},
                "examples": {"file": {"$ref": f"#/components/examples/{name}"}},
            }
    all_headers = {**MODEL_HEADERS, **(headers or {})}
    return {"description": description, "content": content, "headers": all_headers}


REQUEST_ID_HEADERS: Json = {
    "X-Request-ID": {"schema": {"type": "string"}, "description": "The caller's, or a new one."},
}
MODEL_ID_HEADERS: Json = {
    "Lorgnette-Model": {
        "schema": {"type": "string"},
        "description": "`NAME@SHA256-12` of the model. Errors have it too, except those of what is "
        "checked before the model: the API key, path, method and model name.",
    },
    **REQUEST_ID_HEADERS,
}
MODEL_HEADERS: Json = {
    **MODEL_ID_HEADERS,
    "Server-Timing": {
        "schema": {"type": "string"},
        "description": "`queue`, `model` and `encode` in milliseconds; of an animation or archive "
        "up to its first bytes.",
    },
}
SEED_HEADERS: Json = {
    "Lorgnette-Seed": {
        "schema": {"type": "integer"},
        "description": "Seed of the first image; image i has this seed plus i.",
    },
}
STRENGTH_HEADERS: Json = {
    "Lorgnette-Strength": {
        "schema": {"type": "number"},
        "description": "That was chosen; only of a request with `strength=auto`.",
    },
}


def json_response(description: str, example: Json, model: bool = False) -> dict[int | str, Json]:
    """The 200 entry of an endpoint that responds with JSON; FastAPI adds the schema.

    Args:
        description: of the response.
        example: of the JSON.
        model: whether it is about one model.
    """
    headers = MODEL_ID_HEADERS if model else REQUEST_ID_HEADERS
    content = {JSON: {"example": example}}
    return {200: {"description": description, "content": content, "headers": headers}}


def body(
    schema: type[BaseModel],
    example: Json,
    files: tuple[str, ...] = (),
    raw: bool = False,
    required: bool = True,
) -> Json:
    """``openapi_extra`` of a request that may be JSON, multipart or an image.

    Args:
        schema: of the JSON form.
        example: of the JSON form.
        files: fields that are files in the multipart form; empty if there is no such form.
        raw: whether the body may be an image.
        required: whether an empty body is refused.
    """
    fields = schema.model_json_schema(ref_template="#/components/schemas/{model}")
    fields.pop("$defs", None)
    content: Json = {}
    if files:
        content["multipart/form-data"] = {"schema": form_schema(fields, files)}
    content[JSON] = {"schema": fields, "example": example}
    if raw:
        content["image/*"] = {"schema": FILE}
    return {"requestBody": {"required": required, "content": content}}


def query_parameters(schema: type[BaseModel]) -> list[Json]:
    """The fields of a request as ``parameters`` of its query."""
    properties: Json = schema.model_json_schema()["properties"]
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": field.pop("description", ""),
            "schema": field,
        }
        for name, field in properties.items()
    ]


def with_npy(extra: Json) -> Json:
    """The same request, whose body may also be an ``.npy`` array ``(N, D)``."""
    extra["requestBody"]["content"][NPY] = {"schema": {"type": "string", "format": "binary"}}
    return extra


COMPONENTS = (
    schemas.Operand,
    ImagesResponse,
    EncodeResponse,
    Problem,
)


def document(app: FastAPI, root_path: str) -> Json:
    """FastAPI's document with the schemas of bodies, with authentication and cache headers.

    Args:
        app: the application.
        root_path: under which a proxy publishes it.
    """
    spec = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        routes=app.routes,
        servers=[{"url": root_path}] if root_path else None,
    )
    components = spec.setdefault("components", {})
    schemas_by_name = components.setdefault("schemas", {})
    for model in COMPONENTS:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas_by_name |= schema.pop("$defs", {})
        schemas_by_name[model.__name__] = schema
    for name in ("HTTPValidationError", "ValidationError"):
        schemas_by_name.pop(name, None)
    components["examples"] = {
        name: {"summary": f"{summary}; here in base64.", "value": value}
        for name, summary, value in FILES.values()
    }
    components["securitySchemes"] = {
        scheme.scheme_name: jsonable_encoder(scheme.model, by_alias=True, exclude_none=True)
        for scheme in (BEARER, METRICS_BEARER)
    }
    for path, operations in spec["paths"].items():
        for operation in operations.values():
            if not path.startswith(PUBLIC_PREFIX):  # no key is needed where none is configured
                schemes = (METRICS_BEARER, BEARER) if path == METRICS_PATH else (BEARER,)
                operation["security"] = [{}, *({scheme.scheme_name: []} for scheme in schemes)]
        responses = operations.get("get", {}).get("responses", {})
        if JSON in responses.get("422", {}).get("content", {}):  # FastAPI's own
            del responses["422"]
    add_cache_headers(spec["paths"])
    return spec
