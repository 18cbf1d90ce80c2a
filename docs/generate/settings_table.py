"""The page of settings, from ``app.settings.Settings``."""

from typing import Any

from app.settings import INTERNAL, Settings

INTRODUCTION = """# Settings

Settings are environment variables, all optional. A setting with its name of an earlier version stops the start with a
message that has the new name. An unknown `LORGNETTE_*` variable is a warning in the log.

| variable | default | meaning |
|---|---|---|
"""


def page() -> str:
    """The page, in Markdown."""
    return INTRODUCTION + "\n".join(
        f"| `LORGNETTE_{name.upper()}` | {_shown(field.default)} | {field.description} |"
        for name, field in Settings.model_fields.items()
        if name not in INTERNAL
    )


def _shown(default: Any) -> str:
    if isinstance(default, tuple):
        default = ",".join(default)
    if isinstance(default, bool):
        default = str(default).lower()
    return "none" if default == "" else f"`{default}`"
