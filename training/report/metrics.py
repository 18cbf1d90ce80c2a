"""Names of figures in checkpoints and JSON files, and the file of baselines beside a checkpoint."""

import json
from pathlib import Path
from typing import Any

from vae.atomic_file import atomic_write

# What checkpoints and baselines.json files of lorgnette 0.1.0 call them, and their names now.
RENAMED = {
    "begins with": "initialised from",
    "book": "tutorial",
    "ceiling": "reconstruction_bound",
    "gained": "false_positive_rate",
    "judge": "classifier",
    "judged": "edit_evaluation",
    "kept": "recall",
    "nearer": "closer_to_target",
    "nothing": "no_edit",
    "pictures": "images",
    "preserved_nothing": "preserved_no_edit",
    "put on": "put_on",
    "regression, without kinds": "regression, without within-label subspace",
    "sex changed": "sex_changed",
    "taken off": "taken_off",
    "train pictures": "train images",
}


def with_current_names(values: dict[str, Any]) -> dict[str, Any]:
    """The same values, nested ones too, by the names that are written now."""
    return {
        RENAMED.get(name, name): with_current_names(value) if isinstance(value, dict) else value
        for name, value in values.items()
    }


def add_baselines(file: Path, figures: dict[str, Any]) -> dict[str, Any]:
    """Add figures to a ``baselines.json``, by the name of what was measured.

    Returns:
        everything that the file now holds; empty, and no file is made, if there is nothing.
    """
    known: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
    known = with_current_names(known | figures)
    if figures:
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(file) as written:
            written.write((json.dumps(known, indent=2) + "\n").encode())
    return known
