"""What ``/openapi.json`` says about responses that can be kept; see ``app.http.caching``."""

from typing import Any

Json = dict[str, Any]

PATHS = ("/sample", "/decode", "/interpolate", "/traverse", "/arithmetic")
OF_NEW_RESPONSES = ("Server-Timing", "Lorgnette-Seed", "Lorgnette-Strength")
HEADERS: Json = {
    "ETag": {
        "schema": {"type": "string"},
        "description": "Of a response that depends on seeds and latents alone: the same for the "
        "same model, parameters, media type and version of the service.",
    },
    "Cache-Control": {
        "schema": {"type": "string"},
        "description": "Such a response can be kept for good, by its caller alone where keys are "
        "needed. Any other is `no-store`.",
    },
}
IF_NONE_MATCH: Json = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "Entity tags of the responses that the caller has, or `*`. If the response has "
    "one of them, it is 304.",
}


def add_cache_headers(paths: Json) -> None:
    """Document entity tags and 304 of the operations that have them."""
    for path in PATHS:
        for operation in paths[path].values():
            responses = operation["responses"]
            responses["200"]["headers"] = {**responses["200"]["headers"], **HEADERS}
            responses["304"] = {
                "description": "The caller has this response.",
                "headers": {
                    name: header
                    for name, header in responses["200"]["headers"].items()
                    if name not in OF_NEW_RESPONSES
                },
            }
            operation.setdefault("parameters", []).append(IF_NONE_MATCH)
