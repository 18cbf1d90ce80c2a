"""The methods about models and health against the real service, with both clients."""

from collections.abc import Callable
from typing import Any

from tests.app.conftest import DIM
from tests.client.conftest import TEMPLATE

Call = Callable[..., Any]


def test_models(call: Call) -> None:
    tiny, grey, aligned = call("models")
    assert [model.name for model in (tiny, grey, aligned)] == ["tiny", "grey", "aligned"]
    assert aligned.alignment_template == TEMPLATE
    assert call("model", "grey") == grey
    assert tiny.id == f"tiny@{tiny.sha256[:12]}"
    assert tiny.config["latent_dim"] == DIM
    assert (tiny.alignment_template, tiny.auxiliary_classifier) == (None, None)
    assert tiny.directions == ("glasses", "smile")


def test_reload(call: Call) -> None:
    found = call("reload", "grey")
    assert (found.outcome, found.workers) == ("unchanged", 1)
    assert found.model == call("model", "grey")
    assert found.former == found.model.id


def test_health_and_metrics(call: Call) -> None:
    assert call("live") is None
    assert call("ready") is True
    assert "lorgnette_http_requests_total" in call("metrics")
