"""Settings from the environment, with a line for each variable that cannot be used."""

import difflib
import os
import re
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from app.settings import INTERNAL, PREFIX, Settings

RENAMED = {  # former name: present name
    "head_seconds": "header_timeout_seconds",
    "hang_seconds": "inference_timeout_seconds",
    "request_seconds": "request_timeout_seconds",
    "shutdown_seconds": "graceful_shutdown_seconds",
    "max_head_bytes": "max_header_bytes",
    "max_bodies_bytes": "max_total_body_bytes",
    "max_picture_bytes": "max_image_bytes",
    "max_picture_pixels": "max_image_pixels",
    "max_picture_memory": "max_image_memory",
    "max_pictures": "max_images",
}
# Kubernetes and Docker set these in a container for a service that is named lorgnette.
SERVICE_LINK = re.compile(r"service_(host|port)(_.*)?|port_\d+_(tcp|udp).*|name|env_.*")


class SettingsError(ValueError):
    """The environment holds settings that cannot be used; a line for each."""


def load_settings(**overrides: Any) -> Settings:
    """The settings of the environment.

    Args:
        overrides: settings that the command line gives.

    Raises:
        SettingsError: if a value cannot be used, or a variable has the name of an earlier version.
    """
    old = [name for name in _variables() if name in RENAMED]
    if old:
        lines = (f"{_variable(name)} is now {_variable(RENAMED[name])}" for name in old)
        raise SettingsError("\n".join(lines))
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError("\n".join(map(_describe, error.errors()))) from None


def unknown_variables() -> list[str]:
    """A line for each variable of the environment that has our prefix and is no setting."""
    return [
        f"{_variable(name)} is not a setting and has no effect{_suggestion(name)}"
        for name in _variables()
        if name not in Settings.model_fields and not SERVICE_LINK.fullmatch(name)
    ]


def _variables() -> Iterator[str]:
    """The names in the environment that have our prefix, without it and in lower case."""
    for name in sorted(map(str.upper, os.environ)):
        if name.startswith(PREFIX):
            yield name.removeprefix(PREFIX).lower()


def _variable(name: str) -> str:
    return f"{PREFIX}{name}".upper()


def _suggestion(name: str) -> str:
    near = difflib.get_close_matches(name, Settings.model_fields.keys() - INTERNAL, n=1)
    return f"; did you mean {_variable(near[0])}?" if near else ""


def _describe(problem: ErrorDetails) -> str:
    variable = _variable(str(problem["loc"][0])) if problem["loc"] else "settings"
    return f"{variable}: {problem['msg'].removeprefix('Value error, ')}"
