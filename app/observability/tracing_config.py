"""Whether requests are traced, by the standard ``OTEL_*`` variables.

Imports nothing of OpenTelemetry: that takes seconds and megabytes, which only traced services pay.
"""

import os
from importlib.metadata import entry_points

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
PROTOCOL = "http/protobuf"


class TracingConfigError(ValueError):
    """An ``OTEL_*`` variable asks for what is not supported."""


def tracing_enabled() -> bool:
    """Whether the environment names a collector that traces are sent to.

    Raises:
        TracingConfigError: if it does, with a protocol, exporter or propagator that is not there.
    """
    if not any(map(_value, ENDPOINTS)) or _value("OTEL_SDK_DISABLED").lower() == "true":
        return False
    exporter = _value("OTEL_TRACES_EXPORTER") or "otlp"
    if exporter == "none":
        return False
    if exporter != "otlp":
        raise TracingConfigError(f"OTEL_TRACES_EXPORTER is {exporter!r}; use 'otlp' or 'none'")
    name = next(filter(_value, PROTOCOLS), "")
    if name and _value(name) != PROTOCOL:
        raise TracingConfigError(f"{name} is {_value(name)!r}; only {PROTOCOL!r} is supported")
    _check_propagators(_value("OTEL_PROPAGATORS"))
    return True


def _check_propagators(value: str) -> None:
    names = [name.strip() for name in value.split(",")] if value else []
    if "none" in map(str.lower, names):
        return
    installed = set(entry_points(group="opentelemetry_propagator").names)
    for name in names:
        if name not in installed:
            raise TracingConfigError(
                f"OTEL_PROPAGATORS names {name!r}, which is not installed; "
                f"installed are {', '.join(sorted(installed))}"
            )


def _value(name: str) -> str:
    return os.environ.get(name, "").strip()
