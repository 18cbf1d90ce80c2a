"""What ``/openapi.json`` says about request bodies, in terms that generators of clients know."""

from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]

FILE: Json = {"type": "string", "format": "binary", "description": "An image file."}
# Not an array, of which openapi-python-client makes code that is no Python.
OPERAND_FILE: Json = FILE | {"description": "An image of this operand, which may have several."}
NAMED = "operands"  # field whose names are fields of the form


def form_schema(fields: Json, files: Sequence[str]) -> Json:
    """The schema of a body of type ``multipart/form-data``.

    Args:
        fields: schema of the same request as JSON.
        files: names of the fields that are files.
    """
    properties = fields["properties"]
    several: Json = {"type": "array", "items": FILE}
    parts = {name: several if _is_list(properties.get(name, {})) else FILE for name in files}
    texts = {k: _as_text(v) for k, v in properties.items() if k not in (*files, NAMED)}
    form: Json = {"type": "object", "properties": {**parts, **texts}}
    if NAMED in properties:
        form["additionalProperties"] = OPERAND_FILE
    form["required"] = [name for name in fields.get("required", []) if name != NAMED]
    return form


def one_or_many(schema: Json) -> None:
    """Say that one item may stand in place of a list of one, as ``_as_list`` accepts it."""
    array = {name: schema.pop(name) for name in ("type", "items", "minItems")}
    schema["anyOf"] = [array["items"], array]


def any_names(schema: Json) -> None:
    """Say which names a mapping may have; few generators know ``patternProperties``."""
    [(pattern, values)] = schema.pop("patternProperties").items()
    schema["propertyNames"] = {"pattern": pattern}
    schema["additionalProperties"] = values


def _as_text(field: Json) -> Json:
    """A field that is a word or a boolean, which are all words in a form; others as they are."""
    choices = field.get("anyOf", [])
    if {choice["type"] for choice in choices if "type" in choice} != {"string", "boolean"}:
        return field
    words = [choice["const"] for choice in choices if "const" in choice]
    rest = {name: value for name, value in field.items() if name != "anyOf"}
    return {**rest, "type": "string", "enum": [*words, "true", "false"]}


def _is_list(schema: Json) -> bool:
    """Whether a field may have several values."""
    return schema.get("type") == "array" or any(map(_is_list, schema.get("anyOf", ())))
