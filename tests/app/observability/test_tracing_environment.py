"""What the ``OTEL_*`` variables do to a real process."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.app.conftest import ok
from tests.app.observability.collector import collecting
from tests.app.observability.traces import caller, traced
from tests.app.processes import ROOT, start

COSTLY = (
    "opentelemetry.sdk.",
    "opentelemetry.exporter.",
    "opentelemetry.proto.",
    "app.observability.tracing.",
)


PROPAGATOR = """
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

class Propagator(TraceContextTextMapPropagator):
    fields = {"X-Mine"}

    def extract(self, carrier, *args, **options):
        return super().extract({"traceparent": carrier.get("x-mine", "")}, *args, **options)
"""


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """A folder with an installed package that has a propagator named ``mine``."""
    folder = tmp_path / "plugins"
    (folder / "mine-1.dist-info").mkdir(parents=True)
    (folder / "mine.py").write_text(PROPAGATOR)
    metadata = {
        "METADATA": "Metadata-Version: 2.1\nName: mine\nVersion: 1\n",
        "entry_points.txt": "[opentelemetry_propagator]\nmine = mine:Propagator\n",
    }
    for name, content in metadata.items():
        (folder / "mine-1.dist-info" / name).write_text(content)
    return folder


@pytest.mark.parametrize(
    ("propagators", "continued"),
    [
        ("tracecontext", {"traceparent"}),
        ("baggage", set()),
        ("none", set()),
        ("mine", {"x-mine"}),
        ("tracecontext, mine", {"traceparent", "x-mine"}),
    ],
)
def test_the_propagators_of_the_environment_continue_a_trace(
    models: Path,
    tmp_path: Path,
    plugins: Path,
    propagators: str,
    continued: set[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_PROPAGATORS", propagators)
    monkeypatch.setenv("PYTHONPATH", str(plugins))
    with (
        collecting() as collector,
        traced(models, tmp_path, collector.url) as (process, client),
    ):
        traces = {"traceparent": caller(1), "x-mine": caller(2)}
        for header, (_, headers) in traces.items():
            ok(client.get("/models", headers={header: headers["traceparent"]}))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    sent = {span.trace_id.hex() for span in collector.spans}
    assert {header for header, (trace, _) in traces.items() if trace in sent} == continued


@pytest.mark.parametrize("variable", ["PROTOCOL", "TRACES_PROTOCOL"])
def test_a_protocol_that_is_not_supported_is_an_error_at_the_start(
    models: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{variable}", "grpc")
    process = start(MODELS=str(models / "tiny"), PORT="0")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    name = f"OTEL_EXPORTER_OTLP_{variable}"
    assert output == f"{name} is 'grpc'; only 'http/protobuf' is supported\n"


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"},
    ],
    ids=["unset", "empty", "disabled", "no exporter"],
)
def test_without_an_endpoint_nothing_is_imported(
    models: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = (
        "import sys; from tests.app.test_application import startup;"
        "from app.settings import Settings;"
        f"startup(Settings(models=({str(models / 'tiny')!r},), device='cpu'));"
        f"sys.exit(any(f'{{name}}.'.startswith({COSTLY}) for name in sys.modules))"
    )
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = subprocess.run([sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
