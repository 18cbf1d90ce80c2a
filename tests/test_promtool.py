"""Alerts and dashboard before Prometheus' own linter, which also tests each alert."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.test_deploy import DASHBOARD, DEPLOY, RULES

PROMETHEUS = DEPLOY / "prometheus"
PROMTOOL = shutil.which("promtool")
GRAFANA = {
    "$__rate_interval": "5m",
    "$__interval": "1m",
    "$__range": "1h",
    "$job": "lorgnette",
    "$instance": ".+",
}

promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="promtool is not here; Debian has it in the package prometheus"
)


def promtool_output(*arguments: str, folder: Path = PROMETHEUS) -> str:
    """The output of promtool, which must exit with 0."""
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def as_prometheus_sees_it(expression: str) -> str:
    """An expression of the dashboard with its variables filled in, as Grafana would."""
    for name, value in GRAFANA.items():
        expression = expression.replace(name, value)
    return expression


@promtool
def test_the_configuration_and_the_alerts_are_valid() -> None:
    assert "is valid" in promtool_output("check", "config", "prometheus.yml")
    assert f"{len(RULES)} rules found" in promtool_output("check", "rules", "alerts.yml")


@promtool
def test_alerts_fire_when_they_should() -> None:
    assert "SUCCESS" in promtool_output("test", "rules", "alerts_test.yml")


def test_every_alert_is_tested_both_ways() -> None:
    tests = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    for rule in RULES:
        outcomes = [bool(c["exp_alerts"]) for c in cases if c["alertname"] == rule["alert"]]
        assert set(outcomes) == {True, False}, rule["alert"]


@promtool
def test_every_expression_of_the_dashboard_parses(tmp_path: Path) -> None:
    expressions = [t["expr"] for panel in DASHBOARD["panels"] for t in panel["targets"]]
    filled = [as_prometheus_sees_it(expression) for expression in expressions]
    assert not [expression for expression in filled if "$" in expression]
    rules = [{"record": f"panel:{i}", "expr": expr} for i, expr in enumerate(filled)]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "a", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool_output(
        "check", "rules", "rules.yml", folder=tmp_path
    )


def test_variables_are_those_of_the_dashboard_or_of_grafana() -> None:
    ours = {f"${variable['name']}" for variable in DASHBOARD["templating"]["list"]}
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            used = set(re.findall(r"\$\w+", target["expr"]))
            assert used <= ours | {"$__rate_interval", "$__interval", "$__range"}
