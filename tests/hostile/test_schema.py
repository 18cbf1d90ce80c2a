"""The whole OpenAPI document against the real service, in the way of schemathesis."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as bounds
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from app.settings import Settings
from tests.app.conftest import serving

# What is excluded, and why:
# - positive_data_acceptance: a schema cannot say that a text is an image or a sum of names that
#   were sent, nor how long the latents of the model are that was requested.
# - negative_data_rejection: an option may be written as text (`"steps": "8"`), since in a form or a
#   query it can be nothing else, and JSON is read like them.
EXCLUDED = [positive_data_acceptance, negative_data_rejection]
PATHS = json.loads((Path(__file__).parent.parent.parent / "openapi.json").read_text())["paths"]
VALID, INVALID = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
OPERATIONS = [
    (path, method, mode)
    for path, methods in PATHS.items()
    for method, operation in methods.items()
    for mode in (VALID, INVALID)
    if mode is VALID or "requestBody" in operation  # else there is nothing to get wrong
]
bounded = bounds(
    max_examples=15,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def document(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    database = f"sqlite:///{tmp_path_factory.mktemp('store')}/directions.sqlite3"
    served = Settings(models=(str(model),), device="cpu", directions_database=database)
    with serving(served) as client:
        yield schemathesis.openapi.from_url(f"{client.base_url}/openapi.json")


@pytest.mark.parametrize(("path", "method", "mode"), OPERATIONS)
def test_every_operation_keeps_to_the_document(
    document: Any, path: str, method: str, mode: schemathesis.GenerationMode
) -> None:
    operation = document[path][method.upper()]

    @bounded
    @given(operation.as_strategy(generation_mode=mode))
    def keeps(case: Any) -> None:
        case.call_and_validate(excluded_checks=EXCLUDED)

    keeps()
