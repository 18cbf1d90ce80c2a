import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.openapi import document

COMMITTED = (Path(__file__).parent.parent.parent / "openapi.json").read_text()
DOCUMENT: dict[str, Any] = json.loads(COMMITTED)
OPERATIONS = {
    f"{method} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


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


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_and_error_has_an_example(name: str) -> None:
    operation = OPERATIONS[name]
    assert operation["description"]
    for status, response in operation["responses"].items():
        contents = response["content"]
        if status == "200" and "application/json" in contents:
            assert contents["application/json"]["example"]
        elif status != "200":
            assert contents["application/problem+json"]["example"]["status"] == int(status)
    for kind, body in operation.get("requestBody", {}).get("content", {}).items():
        assert kind != "application/json" or body["example"]


def test_every_reference_leads_somewhere() -> None:
    for reference in set(references(DOCUMENT)):
        node: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]
