"""The container files, read: no image is built, but what one would hold and run exists."""

import importlib.util
import json
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from app.inference.readiness import CANARY_TIMEOUT_SECONDS
from app.server.healthcheck import TIMEOUT_SECONDS
from app.settings import Settings

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def instructions(text: str) -> list[tuple[str, str]]:
    """A Dockerfile's instructions: the keyword and the rest, continued lines joined."""
    lines = [line for line in text.splitlines() if line.strip() and line.lstrip()[0] != "#"]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    pairs = (line.partition(" ") for line in joined.splitlines())
    return [(keyword.upper(), rest.strip()) for keyword, _, rest in pairs]


IMAGE = instructions((ROOT / "Dockerfile").read_text())
FINAL = IMAGE[max(i for i, (keyword, _) in enumerate(IMAGE) if keyword == "FROM") :]


def last(keyword: str) -> str:
    """The instruction that takes effect: the last of its keyword in the last stage."""
    return [argument for name, argument in FINAL if name == keyword][-1]


def environment() -> dict[str, str]:
    pairs = [pair for name, argument in FINAL if name == "ENV" for pair in argument.split()]
    return dict(pair.split("=", 1) for pair in pairs)


def copied() -> list[str]:
    """What is copied from the build context, by any stage."""
    arguments = [argument.split() for name, argument in IMAGE if name == "COPY"]
    return [source for a in arguments if "--from" not in a[0] for source in a[:-1]]


def test_instructions_are_told_apart() -> None:
    text = '# a\nFROM a:1\nENV A=1 \\\n    # b\n    B=2\n\nCMD ["c", "-d"]\n'
    assert instructions(text) == [("FROM", "a:1"), ("ENV", "A=1 B=2"), ("CMD", '["c", "-d"]')]


@pytest.mark.parametrize(
    "command",
    [
        ["hadolint", "Dockerfile"],
        ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"],
    ],
    ids=["hadolint", "compose"],
)
def test_the_linter_is_content(command: list[str]) -> None:
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_base_is_a_fixed_python_that_the_project_supports() -> None:
    stages = [argument.split() for name, argument in IMAGE if name == "FROM"]
    bases = {words[0] for words in stages} - {words[2] for words in stages if len(words) == 3}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert bases
    for base in bases:
        match = re.fullmatch(r"python:(\d+\.\d+)(\.\d+)?-slim-[a-z]+", base)
        assert match, base
        assert match[1] in SpecifierSet(project["requires-python"])


@pytest.mark.parametrize("source", copied())
def test_what_is_copied_exists_and_is_sent_to_the_builder(source: str) -> None:
    assert (ROOT / source).exists()
    sent = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in sent
    assert any(line[1:].split("/")[0] == source for line in sent if line.startswith("!"))


def test_the_image_holds_the_service_and_its_models() -> None:
    assert {"vae", "app", "models", "requirements.lock"} == set(copied())


def test_it_starts_a_module_that_exists() -> None:
    python, dash, module = json.loads(last("CMD"))  # the exec form, so that SIGTERM arrives
    assert (python, dash) == ("python", "-m")
    assert importlib.util.find_spec(f"{module}.__main__")
    assert last("STOPSIGNAL") == "SIGTERM"


def test_it_runs_as_a_numbered_user_other_than_root() -> None:
    user = re.fullmatch(r"(\d+)(:\d+)?", last("USER"))
    assert user
    assert int(user[1]) >= 1000


def test_it_listens_where_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment().items():
        if name.startswith("LORGNETTE_"):
            monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match="open to other machines"):  # who runs it must say who
        Settings()
    settings = Settings(allow_anonymous=True)
    assert settings.host == "0.0.0.0"
    assert last("EXPOSE") == str(settings.port)


class Health(BaseHTTPRequestHandler):
    """Responds with a set status at the readiness path, with 404 elsewhere."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/health/ready" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its name there
        """Say nothing."""


@pytest.fixture
def health_port(request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of a service that always responds with the status of the parametrization."""
    handler = type("Handler", (Health,), {"status": request.param})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("health_port", "healthy"), [(200, True), (503, False)], indirect=["health_port"]
)
def test_the_health_check_tells_ready_from_not(
    health_port: int, healthy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LORGNETTE_PORT", str(health_port))
    monkeypatch.setenv("LORGNETTE_HOST", environment()["LORGNETTE_HOST"])
    monkeypatch.setenv("LORGNETTE_ALLOW_ANONYMOUS", "true")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # not for loopback
    options, _, command = last("HEALTHCHECK").partition("CMD ")
    assert "--start-period=" in options
    python, *arguments = json.loads(command)
    assert python == "python"
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True)
    assert (done.returncode == 0) is healthy


def test_readiness_is_an_endpoint() -> None:
    assert "/health/ready" in json.loads((ROOT / "openapi.json").read_text())["paths"]


def test_one_service_starts_without_a_profile_and_has_the_gpu() -> None:
    reserved = {
        name: service["deploy"]["resources"]["reservations"]["devices"]
        for name, service in SERVICES.items()
        if "deploy" in service
    }
    assert [name for name, service in SERVICES.items() if not service.get("profiles")] == [
        "lorgnette"
    ]
    assert [device["driver"] for device in reserved.pop("lorgnette")] == ["nvidia"]
    assert not reserved
    assert SERVICES["lorgnette-cpu"]["profiles"] == ["cpu"]
    assert SERVICES["lorgnette-cpu"]["environment"]["LORGNETTE_DEVICE"] == "cpu"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_closed_in_and_can_work(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    service = SERVICES[name]
    for variable, value in service.get("environment", {}).items():
        assert variable.removeprefix("LORGNETTE_").lower() in Settings.model_fields
        if value is not None:  # else it is that of whoever starts it
            monkeypatch.setenv(variable, str(value))
    assert "LORGNETTE_API_KEYS" in service["environment"]
    settings = Settings()
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert not {"user", "privileged", "cap_add", "pid", "network_mode"} & service.keys()
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert int(service["stop_grace_period"].removesuffix("s")) > settings.graceful_shutdown_seconds
    assert settings.api_keys or settings.allow_anonymous
    published = {port.rsplit(":", 1)[1]: port for port in service["ports"]}
    assert published.keys() == {last("EXPOSE")}
    assert all(port.startswith("127.0.0.1:") for port in published.values())
    models, saved = (volume.split(":") for volume in service["volumes"])
    folder, target, mode = models
    assert mode == "ro"
    database = environment()["LORGNETTE_DIRECTIONS_DATABASE"].removeprefix("sqlite:///")
    assert PurePosixPath(database).parent == PurePosixPath(saved[1])
    assert saved[0] in COMPOSE["volumes"]
    home = PurePosixPath(last("WORKDIR"))
    for model in settings.models:  # the default models are inside the mounted folder
        assert (home / model).is_relative_to(target)
        assert PurePosixPath(model).is_relative_to(PurePosixPath(folder))


def test_a_health_check_waits_longer_than_readiness_may_take() -> None:
    docker = re.search(r"--timeout=(\d+)s", dict(IMAGE)["HEALTHCHECK"])
    assert docker
    assert CANARY_TIMEOUT_SECONDS < TIMEOUT_SECONDS < int(docker[1])
