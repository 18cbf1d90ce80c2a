"""What the ``OTEL_*`` variables say of tracing."""

import os

import pytest

from app.observability.tracing_config import TracingConfigError, tracing_enabled


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")


def test_without_an_endpoint_nothing_is_traced_or_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    assert not tracing_enabled()


@pytest.mark.parametrize("name", ["OTLP_ENDPOINT", "OTLP_TRACES_ENDPOINT"])
def test_an_endpoint_is_enough(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"OTEL_EXPORTER_{name}", "http://127.0.0.1:9")
    assert tracing_enabled()


@pytest.mark.usefixtures("endpoint")
@pytest.mark.parametrize(
    ("name", "value"), [("OTEL_SDK_DISABLED", "True"), ("OTEL_TRACES_EXPORTER", "none")]
)
def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    assert not tracing_enabled()


@pytest.mark.usefixtures("endpoint")
@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
        {
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",  # of metrics and logs, then
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
        },
        {"OTEL_EXPORTER_OTLP_PROTOCOL": ""},
        {"OTEL_TRACES_EXPORTER": "otlp"},
        {"OTEL_PROPAGATORS": "baggage, tracecontext"},
        {"OTEL_PROPAGATORS": "none"},
        {"OTEL_PROPAGATORS": ""},
    ],
)
def test_what_is_supported_is_accepted(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert tracing_enabled()


@pytest.mark.usefixtures("endpoint")
@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "only 'http/protobuf' is supported"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "only 'http/protobuf' is supported"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc", "only 'http/protobuf' is supported"),
        ("OTEL_TRACES_EXPORTER", "zipkin", "use 'otlp' or 'none'"),
        ("OTEL_PROPAGATORS", "tracecontext,b3", "'b3', which is not installed; installed are bag"),
    ],
)
def test_what_is_not_supported_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, right: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(TracingConfigError) as refused:
        tracing_enabled()
    assert str(refused.value).startswith(name)
    assert right in str(refused.value)
