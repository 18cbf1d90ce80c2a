"""Environment variables that cannot be used, or have no effect."""

import signal
from pathlib import Path

import pytest

from app.server.environment import RENAMED, SettingsError, load_settings, unknown_variables
from app.settings import Settings
from tests.app.processes import running, start


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_a_former_name_is_refused_with_the_present_one(
    monkeypatch: pytest.MonkeyPatch, old: str, new: str
) -> None:
    assert new in Settings.model_fields
    assert old not in Settings.model_fields
    monkeypatch.setenv(f"LORGNETTE_{old}".upper(), "9")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert str(refused.value) == f"LORGNETTE_{old.upper()} is now LORGNETTE_{new.upper()}"


def test_all_former_names_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORGNETTE_HEAD_SECONDS", "9")
    monkeypatch.setenv("lorgnette_hang_seconds", "9")  # pydantic reads lower case too
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert len(str(refused.value).splitlines()) == 2


def test_a_process_with_a_former_name_does_not_start() -> None:
    process = start(REQUEST_SECONDS="9", PORT="0")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    [line] = output.splitlines()
    assert line == "LORGNETTE_REQUEST_SECONDS is now LORGNETTE_REQUEST_TIMEOUT_SECONDS"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("MAX_QUEU", "is not a setting and has no effect; did you mean LORGNETTE_MAX_QUEUE?"),
        ("REQUESTS_PER_MINUT", "no effect; did you mean LORGNETTE_REQUESTS_PER_MINUTE?"),
        ("XYZZY", "LORGNETTE_XYZZY is not a setting and has no effect"),
    ],
)
def test_an_unknown_variable_is_reported(
    monkeypatch: pytest.MonkeyPatch, name: str, line: str
) -> None:
    monkeypatch.setenv(f"LORGNETTE_{name}", "1")
    [found] = unknown_variables()
    assert found.startswith(f"LORGNETTE_{name} ")
    assert found.endswith(line)


def test_an_unknown_variable_is_a_warning_in_the_log(models: Path) -> None:
    with running(MODELS=str(models / "tiny"), MAX_QUEU="1") as (process, _):
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 0
    [line] = [line for line in output.splitlines() if "MAX_QUEU" in line]
    assert " WARNING LORGNETTE_MAX_QUEU is not a setting" in line


def test_variables_of_an_orchestrator_are_not_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT_8000_TCP_ADDR"):
        monkeypatch.setenv(f"LORGNETTE_{name}", "1")
    monkeypatch.setenv("LORGNETTE_WORKER_DIR", "/tmp")
    assert unknown_variables() == []
