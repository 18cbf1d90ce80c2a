"""The dashboard and the alerts query metrics that the service has."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.observability.metrics import Metrics

DEPLOY = Path(__file__).parent.parent / "deploy"
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana/lorgnette.json").read_text())
RULES: list[dict[str, Any]] = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())[
    "groups"
][0]["rules"]
EXPRESSIONS = [
    *(target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]),
    *(rule["expr"] for rule in RULES),
]


def names() -> set[str]:
    """Every name that a sample of the service can have."""
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "gauge": [""]}
    return {
        family.name + suffix
        for family in Metrics().registry.collect()
        for suffix in suffixes[family.type]
    }


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_queries_known_metrics(expression: str) -> None:
    queried = set(re.findall(r"\blorgnette_\w+", expression))
    assert queried <= names()
    assert queried or "up{" in expression


def test_every_metric_is_shown() -> None:
    shown = {name for e in EXPRESSIONS for name in re.findall(r"\blorgnette_\w+", e)}
    families = {family.name for family in Metrics().registry.collect()}
    assert all(any(s.startswith(f) for s in shown) for f in families - {"lorgnette_model_info"})


def test_panels_are_told_apart_and_explained() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["title"] and panel["description"] for panel in panels)
    positions = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(positions) == len(panels)


def test_the_dashboard_is_of_grafanas_model() -> None:
    """The fields of https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/."""
    assert re.fullmatch(r"[\w-]{1,40}", DASHBOARD["uid"])
    assert DASHBOARD["title"]
    assert DASHBOARD["schemaVersion"] >= 39
    assert isinstance(DASHBOARD["version"], int)
    assert {"from", "to"} <= DASHBOARD["time"].keys()
    assert "id" not in DASHBOARD  # which is of the one Grafana that has stored it
    for variable in DASHBOARD["templating"]["list"]:
        assert variable["type"] in ("datasource", "query")
        assert variable["query"]
    source = {"type": "prometheus", "uid": "${datasource}"}  # of whichever Grafana imports it
    for panel in DASHBOARD["panels"]:
        assert panel["type"] == "timeseries"
        assert panel["datasource"] == source
        assert panel["fieldConfig"].keys() == {"defaults", "overrides"}
        assert {"legend", "tooltip"} <= panel["options"].keys()
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references) > 0
        assert all(target["datasource"] == source for target in panel["targets"])


def test_panels_lie_on_the_grid_beside_each_other() -> None:
    occupied: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        position = panel["gridPos"]
        assert position["x"] + position["w"] <= 24
        cells = {
            (x, y)
            for x in range(position["x"], position["x"] + position["w"])
            for y in range(position["y"], position["y"] + position["h"])
        }
        assert not cells & occupied, panel["title"]
        occupied |= cells


def test_alerts_say_their_severity_and_what_is_wrong() -> None:
    assert all(rule["labels"]["severity"] in ("page", "ticket") for rule in RULES)
    assert all("$labels.instance" in rule["annotations"]["summary"] for rule in RULES)


def test_prometheus_reads_the_alerts() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    assert config["rule_files"] == ["alerts.yml"]
    assert config["scrape_configs"][0]["job_name"] == "lorgnette"
