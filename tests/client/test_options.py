"""The options of the client are those of the service, by its OpenAPI document."""

import json
from pathlib import Path
from typing import Any

import pytest

from lorgnette_client import Client, options

DOCUMENT = json.loads((Path(__file__).parents[2] / "openapi.json").read_text())
PARAMETERS = {"format", "If-None-Match"}  # that are no options
NONE = type("NONE", (), {"__annotations__": {}})
# By the endpoint: the method, its options, and the fields that are arguments by themselves.
ENDPOINTS: dict[str, tuple[str, Any, set[str]]] = {
    "post /encode": ("encode", options.EncodeOptions, {"image"}),
    "post /decode": ("decode", options.SequenceOptions, {"latents"}),
    "post /reconstruct": ("reconstruct", options.ReconstructOptions, {"image"}),
    "get /sample": ("sample", options.SampleOptions, set()),
    "post /sample": ("sample", options.SampleOptions, set()),
    "post /interpolate": ("interpolate", options.PathOptions, {"start", "end"}),
    "post /traverse": ("traverse", options.GridOptions, {"operand", "along"}),
    "post /arithmetic": ("arithmetic", options.ArithmeticOptions, {"expression", "operands"}),
    "post /inpaint": ("inpaint", options.InpaintOptions, {"image", "mask"}),
    "post /score": ("score", options.ScoreOptions, {"image"}),
    "post /faces": ("faces", NONE, {"image"}),
    "get /directions": ("directions", options.ModelOptions, set()),
    "get /directions/{name}": ("direction", options.ModelOptions, {"name"}),
    "put /directions/{name}": (
        "put_direction",
        options.DirectionOptions,
        {"name", "with", "without"},
    ),
    "delete /directions/{name}": ("delete_direction", options.ModelOptions, {"name"}),
    "get /directions/{name}/preview": ("preview_direction", options.PreviewOptions, {"name"}),
    "get /models": ("models", NONE, set()),
    "get /models/{name}": ("model", NONE, {"name"}),
    "post /models/{name}/reload": ("reload", NONE, {"name"}),
    "get /health/live": ("live", NONE, set()),
    "get /health/ready": ("ready", NONE, set()),
    "get /metrics": ("metrics", NONE, set()),
}


def test_every_endpoint_has_a_method() -> None:
    documented = {f"{m} {path}" for path, methods in DOCUMENT["paths"].items() for m in methods}
    assert documented == set(ENDPOINTS)
    methods = {name for name in dir(Client) if not name.startswith("_")} - {"close"}
    assert methods == {method for method, _, _ in ENDPOINTS.values()}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_every_field_is_an_option(endpoint: str) -> None:
    _, typed, arguments = ENDPOINTS[endpoint]
    method, path = endpoint.split()
    operation = DOCUMENT["paths"][path][method]
    fields = {parameter["name"] for parameter in operation.get("parameters", ())}
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    fields |= set(schema.get("properties", ())) - PARAMETERS
    assert fields - PARAMETERS == set(typed.__annotations__) | arguments
