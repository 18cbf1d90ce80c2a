import json
from pathlib import Path

from training.report.metrics import add_baselines, with_current_names

OLD = {
    "pictures": 3,
    "edits": {"put on (donors)": {"nothing": 1.0, "ceiling": 2.0, "nearer": 0.5}},
    "judged": {"kept": 0.5, "edits": {"regression, without kinds": {"1.0": {"put on": 0.25}}}},
}
NEW = {
    "images": 3,
    "edits": {
        "put on (donors)": {
            "no_edit": 1.0,
            "reconstruction_bound": 2.0,
            "closer_to_target": 0.5,
        }
    },
    "edit_evaluation": {
        "recall": 0.5,
        "edits": {"regression, without within-label subspace": {"1.0": {"put_on": 0.25}}},
    },
}


def test_figures_of_earlier_checkpoints_are_read_by_their_current_names() -> None:
    assert with_current_names(OLD) == NEW
    assert with_current_names(NEW) == NEW


def test_baselines_are_added_to_those_of_an_earlier_file(tmp_path: Path) -> None:
    file = tmp_path / "new" / "baselines.json"
    assert add_baselines(file, {}) == {}
    assert not file.exists()
    file.parent.mkdir()
    file.write_text(json.dumps({"book": OLD}))
    expected = {"tutorial": NEW, "pca": {"0": 12.5}}
    assert add_baselines(file, {"pca": {"0": 12.5}}) == expected
    assert json.loads(file.read_text()) == expected
