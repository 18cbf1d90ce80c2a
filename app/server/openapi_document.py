"""Print the OpenAPI document: ``python -m app.server.openapi_document > openapi.json``."""

import json
import sys

from app.application import create_app
from app.settings import Settings


def document() -> str:
    """The document as indented JSON with a final newline."""
    return json.dumps(create_app(Settings()).openapi(), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
