import base64
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from httpx import Client, Response
from PIL import Image

from app.http.response_schemas import Problem
from app.server.openapi_document import document
from tests.app.conftest import DIM

JSON = {"Content-Type": "application/json"}
COMMITTED = (Path(__file__).parents[3] / "openapi.json").read_text()
DOCUMENT: dict[str, Any] = json.loads(COMMITTED)
OPERATIONS = {
    f"{method} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}

EXAMPLE_FILES: dict[str, Any] = DOCUMENT["components"]["examples"]


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_the_committed_document_is_the_live_one() -> None:
    assert document() == COMMITTED, "run `make openapi`"


def test_every_endpoint_is_in_it() -> None:
    assert set(OPERATIONS) == {
        "post /encode",
        "post /decode",
        "post /reconstruct",
        "post /sample",
        "get /sample",
        "post /interpolate",
        "post /traverse",
        "post /arithmetic",
        "post /faces",
        "post /inpaint",
        "post /score",
        "get /directions",
        "get /directions/{name}",
        "put /directions/{name}",
        "delete /directions/{name}",
        "get /directions/{name}/preview",
        "get /models",
        "get /models/{name}",
        "post /models/{name}/reload",
        "get /health/live",
        "get /health/ready",
        "get /metrics",
    }


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_and_error_has_an_example(name: str) -> None:
    operation = OPERATIONS[name]
    assert operation["description"]
    responses = dict(operation["responses"])
    kind = "text/plain" if name == "get /metrics" else "application/json"
    for status in {"200", "201"} & responses.keys():
        assert responses.pop(status)["content"][kind]["example"]
    assert responses
    for status in ("204", "304"):
        responses.pop(status, None)  # which have no content
    for status, response in responses.items():
        example = response["content"]["application/problem+json"]["example"]
        assert example["status"] == int(status)
        Problem.model_validate(example)
    for kind, body in operation.get("requestBody", {}).get("content", {}).items():
        assert kind != "application/json" or body["example"]


@pytest.mark.parametrize("name", EXAMPLE_FILES)
def test_the_example_of_a_media_type_is_such_a_file(name: str) -> None:
    data = base64.b64decode(EXAMPLE_FILES[name]["value"])
    if name == "Zip":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.testzip() is None
    elif name == "Npy":
        assert np.load(io.BytesIO(data)).dtype == np.float32
    else:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            assert image.format == {"Apng": "PNG"}.get(name, name.upper())


def test_every_media_type_that_is_no_text_has_a_file_as_its_example() -> None:
    types: set[str] = set()
    for operation in OPERATIONS.values():
        responses = operation["responses"]
        for media_type, content in responses.get("200", {}).get("content", {}).items():
            if content.get("schema", {}).get("format") == "binary":
                assert content["examples"]["file"]["$ref"].startswith("#/components/examples/")
                types.add(media_type)
    assert len(types) == len(EXAMPLE_FILES)


EXAMPLES = {
    name: operation["requestBody"]["content"]["application/json"]["example"]
    for name, operation in OPERATIONS.items()
    if "requestBody" in operation
}


def called(client: Client, name: str, query: str = "") -> Response:
    """The response of an operation to its own example."""
    method, path = name.split()
    if method == "delete":
        called(client, f"put {path}")
    known = {"/models": "tiny", "/directions": "glasses" if method == "get" else "round_frame"}
    path = path.replace("{name}", known.get(f"/{path.split('/')[1]}", ""))
    options: Any = {}
    if name in EXAMPLES:
        options = {"content": json.dumps(EXAMPLES[name]), "headers": JSON}
    if name == "post /decode":
        options = {"json": {"latents": [[0.1] * DIM]}}  # whose length depends on the model
    return client.request(method, path + query, **options)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_works_as_it_stands(client: Client, name: str) -> None:
    response = called(client, name)
    assert response.is_success, response.text
    offered = OPERATIONS[name]["responses"][str(response.status_code)]["content"]
    assert response.headers["content-type"] in offered


@pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - {"get /metrics"}))
def test_a_response_has_the_fields_that_its_example_shows(client: Client, name: str) -> None:
    response = called(client, name, "?format=json" if "{name}" not in name else "")
    documented = OPERATIONS[name]["responses"][str(response.status_code)]
    if response.status_code == 204:
        assert response.content == b""
    elif "application/json" in response.headers["content-type"]:
        example = documented["content"]["application/json"]["example"]
        assert response.json().keys() == example.keys()


def test_every_reference_leads_somewhere() -> None:
    for reference in set(references(DOCUMENT)):
        node: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def test_what_can_be_kept_is_documented() -> None:
    kept = {name for name, operation in OPERATIONS.items() if "304" in operation["responses"]}
    paths = ("/sample", "/decode", "/interpolate", "/traverse", "/arithmetic")
    assert kept == {"get /sample", *(f"post {path}" for path in paths)}
    for name in kept:
        operation = OPERATIONS[name]
        assert "If-None-Match" in [p["name"] for p in operation["parameters"]]
        for status in ("200", "304"):
            assert {"ETag", "Cache-Control"} <= operation["responses"][status]["headers"].keys()


def test_the_query_of_an_image_has_the_fields_of_its_post() -> None:
    fields = OPERATIONS["post /sample"]["requestBody"]["content"]["application/json"]["schema"]
    queried = {p["name"] for p in OPERATIONS["get /sample"]["parameters"] if p["in"] == "query"}
    assert queried == {*fields["properties"], "model", "format"}


def test_keys_are_documented_where_one_may_be_needed() -> None:
    scheme = DOCUMENT["components"]["securitySchemes"]["ApiKey"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    for name, operation in OPERATIONS.items():
        public = "/health/" in name
        schemes = {
            "get /metrics": ["MetricsKey", "ApiKey"],
            "post /models/{name}/reload": ["AdminKey"],
        }.get(name, ["ApiKey"])
        keys: Any = [{scheme: []} for scheme in schemes]
        assert operation.get("security") == (None if public else [{}, *keys])
        assert ("401" in operation["responses"]) != public


def test_the_headers_of_responses_are_documented(client: Client) -> None:
    for name, operation in OPERATIONS.items():
        response = called(client, name)
        about = operation["responses"][str(response.status_code)]
        documented = {header.lower() for header in about.get("headers", {})}
        found = response.headers
        # With strength=auto only, which the model of this test does not have; and with no image.
        assert documented - found.keys() <= {"lorgnette-strength", "etag"}
        ours = {h for h in found if h.startswith("lorgnette-")} | ({"server-timing"} & found.keys())
        assert ours - documented == set()
