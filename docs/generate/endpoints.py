"""The sections of endpoints, from openapi.json."""

import json
from collections import Counter
from typing import Any

from docs.generate.repository import ROOT

Json = dict[str, Any]

COMMON = 4  # operations with the same field, from which on it is listed once
BODIES = ("application/json", "multipart/form-data")


def text() -> str:
    """A section for each endpoint, and one for each JSON object, in Markdown."""
    document = json.loads((ROOT / "openapi.json").read_text())
    operations = [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    fields = [_fields(operation) for _, _, operation in operations]
    counts = Counter(
        (name, _row(name, schema)) for found in fields for name, (schema, _) in found.items()
    )
    common = {row: name for (name, row), count in counts.items() if count >= COMMON}
    sections = [_common_section(common)]
    for (method, path, operation), found in zip(operations, fields, strict=True):
        sections.append(_section(method, path, operation, found, common))
    return "\n".join([*sections, _schemas(document)])


def _fields(operation: Json) -> dict[str, tuple[Json, bool]]:
    """Fields of the body and of path, query and header: their schema, and whether required."""
    found = {
        parameter["name"]: (
            {"description": parameter.get("description", ""), **parameter["schema"]},
            bool(parameter.get("required")),
        )
        for parameter in operation.get("parameters", [])
    }
    content = operation.get("requestBody", {}).get("content", {})
    schema: Json = next((content[body]["schema"] for body in BODIES if body in content), {})
    for name, value in schema.get("properties", {}).items():
        found[name] = (value, name in schema.get("required", []))
    return found


def _row(name: str, schema: Json) -> str:
    default = schema.get("default")
    shown = "" if default is None else f"`{json.dumps(default)}`"
    return f"| `{name}` | {_type(schema)} | {shown} | {_cell(schema.get('description', ''))} |"


def _cell(words: str) -> str:
    return words.replace("``", "`").replace("|", "\\|").replace("\n", " ")


def _type(schema: Json) -> str:
    """A type and its range in a few words, such as ``integer, 2 to 64``."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema:
        choices = [_type(choice) for choice in schema["anyOf"] if choice.get("type") != "null"]
        return " or ".join(choices)
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if schema.get("format") == "binary":
        return "file"
    low, high = schema.get("minimum"), schema.get("maximum")
    bounds = f", {low:g} to {high:g}" if low is not None and high is not None else ""
    return f"{schema.get('type', 'any')}{bounds}"


HEAD = "\n| field | type | default | meaning |\n|---|---|---|---|\n"


def _common_section(common: dict[str, str]) -> str:
    rows = sorted(common, key=lambda row: common[row])
    return "## Fields of several endpoints\n" + HEAD + "\n".join(rows) + "\n"


def _section(
    method: str,
    path: str,
    operation: Json,
    fields: dict[str, tuple[Json, bool]],
    common: dict[str, str],
) -> str:
    lines = [f"## {method} {path}", "", _cell(operation.get("description", "")), ""]
    media = list(operation.get("requestBody", {}).get("content", {}))
    if media:
        lines += ["Body: " + ", ".join(f"`{name}`" for name in media) + ".", ""]
    rows = {name: _row(name, schema) for name, (schema, _) in fields.items()}
    own = [row for row in rows.values() if row not in common]
    if own:
        lines += [HEAD.strip(), *own, ""]
    required = [f"`{name}`" for name, (_, needed) in fields.items() if needed]
    if required:
        lines += ["Required: " + ", ".join(required) + ".", ""]
    shared = [f"`{name}`" for name, row in rows.items() if row in common]
    if shared:
        lines += ["Also " + ", ".join(shared) + ": [above](#fields-of-several-endpoints).", ""]
    return "\n".join([*lines, *_responses(operation)])


def _responses(operation: Json) -> list[str]:
    rows = ["| status | response |", "|---|---|"]
    for status, response in sorted(operation["responses"].items()):
        content = response.get("content", {})
        example = content.get("application/problem+json", {}).get("example")
        if example:
            kind = example["type"].rpartition(":")[2]
            rows.append(f"| {status} | for example `{kind}`: {_cell(example['detail'])} |")
            continue
        names = ", ".join(f"`{name}`" for name in content)
        schema = content.get("application/json", {}).get("schema", {})
        shape = f" JSON: {_type(schema)}." if "$ref" in schema else ""
        about = _cell(response["description"])
        rows.append(f"| {status} | {about}{' ' + names + '.' if names else ''}{shape} |")
    return [*rows, ""]


def _schemas(document: Json) -> str:
    lines = ["## JSON objects", ""]
    for name, schema in sorted(document["components"]["schemas"].items()):
        lines += [f"### {name}", "", _cell(schema.get("description", ""))]
        if "properties" in schema:
            lines += [HEAD, *(_row(*item) for item in schema["properties"].items())]
        lines.append("")
    return "\n".join(lines).replace(f"{HEAD}\n", HEAD)
