"""The table of settings, from ``app.settings.Settings``."""

from typing import Any

from app.settings import INTERNAL, Settings

HEAD = "| variable | default | meaning |\n|---|---|---|\n"


def text() -> str:
    """The table, in Markdown."""
    return HEAD + "\n".join(
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
