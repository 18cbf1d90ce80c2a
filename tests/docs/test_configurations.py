"""The configurations that pages show, for what does not run here: nginx and Kubernetes."""

import json
import re
from typing import Any

import pytest
import yaml

from app.settings import INTERNAL, Settings
from tests.docs.pages import DOCS, PAGES
from tests.reader import ROOT, blocks

SETTINGS = {
    f"LORGNETTE_{name.upper()}": field.default
    for name, field in Settings.model_fields.items()
    if name not in INTERNAL
}
CLIENT = {"LORGNETTE_URL", "LORGNETTE_API_KEY"}
NAMED = re.compile(r"\bLORGNETTE_[A-Z_]*[A-Z]\b")
STATEMENT = re.compile(r'\s*([a-z_]+)((?: (?:"[^"]*"|[^\s;{}"]+))*)\s*([;{])|\s*}')


def shown(page: str, title: str) -> str:
    [text] = [block.text for block in blocks(DOCS / page) if block.title == title]
    return text


@pytest.mark.parametrize("page", [*PAGES, "../README.md", "../CONTRIBUTING.md"])
def test_every_setting_that_is_named_exists(page: str) -> None:
    named = set(NAMED.findall((DOCS / page).read_text()))
    assert named <= SETTINGS.keys() | CLIENT


def seconds(value: str) -> int:
    return int(value.removesuffix("s"))


def test_nginx_has_the_limits_of_the_service() -> None:
    text = re.sub(r"#.*", "", shown("guides/nginx.md", "lorgnette.conf"))
    assert re.fullmatch(rf"(?:{STATEMENT.pattern})*\s*", text)
    assert text.count("{") == text.count("}")
    statements = [(name, value.strip(), end) for name, value, end in STATEMENT.findall(text)]
    values = {name: value for name, value, end in statements if end == ";"}
    service = dict(
        line.split("=") for line in shown("guides/nginx.md", "lorgnette.env").splitlines()
    )
    assert service.keys() <= SETTINGS.keys()
    assert values["client_max_body_size"] == f"{SETTINGS['LORGNETTE_MAX_BODY_BYTES'] >> 20}m"
    assert seconds(values["proxy_read_timeout"]) > SETTINGS["LORGNETTE_REQUEST_TIMEOUT_SECONDS"]
    assert seconds(values["keepalive_timeout"]) < int(service["LORGNETTE_KEEP_ALIVE_SECONDS"])
    assert ("location", f"{service['LORGNETTE_ROOT_PATH']}/", "{") in statements
    assert str(SETTINGS["LORGNETTE_PORT"]) in values["server"].split(":")[-1]


@pytest.fixture(scope="module")
def objects() -> dict[str, Any]:
    documents = list(yaml.safe_load_all(shown("guides/kubernetes.md", "lorgnette.yaml")))
    assert all({"apiVersion", "kind", "metadata"} <= document.keys() for document in documents)
    return {document["kind"]: document for document in documents}


def test_the_kubernetes_objects_belong_together(objects: dict[str, Any]) -> None:
    deployment, service = objects["Deployment"]["spec"], objects["Service"]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"] == service["selector"] == labels
    [container] = deployment["template"]["spec"]["containers"]
    [port] = container["ports"]
    assert port["containerPort"] == SETTINGS["LORGNETTE_PORT"]
    assert service["ports"][0]["targetPort"] == port["name"]
    assert container["envFrom"][0]["secretRef"]["name"] == objects["Secret"]["metadata"]["name"]
    volumes = {volume["name"] for volume in deployment["template"]["spec"]["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes


def test_the_deployment_sets_and_probes_what_there_is(objects: dict[str, Any]) -> None:
    pod = objects["Deployment"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    environment = {variable["name"]: variable["value"] for variable in container["env"]}
    assert environment.keys() | objects["Secret"]["stringData"].keys() <= SETTINGS.keys()
    assert all(isinstance(value, str) for value in environment.values())
    ending = [
        float(environment[f"LORGNETTE_{name}_SECONDS"]) for name in ("DRAIN", "GRACEFUL_SHUTDOWN")
    ]
    assert pod["terminationGracePeriodSeconds"] > sum(ending)
    paths = json.loads((ROOT / "openapi.json").read_text())["paths"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["path"] in paths
