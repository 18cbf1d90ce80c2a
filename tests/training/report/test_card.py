from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from training.report import card, card_tables
from vae.checkpoint import Checkpoint
from vae.config import VAEConfig
from vae.directions import Direction
from vae.model import VAE
from vae.prior import LatentStatistics

CONFIG = VAEConfig(size=32, latent_dim=2, patch=4, widths=(4,), detail_channels=2)
EDIT = {
    "put_on": 0.5,
    "taken_off": 0.25,
    "sex_changed": 0.125,
    "sex_changed_raw": 0.0625,
    "sex_changed_beyond_reconstruction": 0.03,
    "sex_changed_worst_group": 0.07,
    "outside_eyes_psnr_db": 30.0,
}
EVALUATION = {
    "classifier": {"sha256": 64 * "a", "network": "convnet", "accuracy": {"male": 0.9}},
    "recall": 0.75,
    "false_positive_rate": 0.01,
    "sex_changed_by_reconstruction": 0.02,
    "edits": {"regression": {"1.5": EDIT}},
    "sums": {"a - b": {"glasses": 1.0, "sex": 0.5}},
    "smoothness": 1.1,
}
FIGURES: dict[str, Any] = {
    "images": 3,
    "psnr_db": 24.4,
    "rate_nats": 400.0,
    "frechet": {"reconstructions": 200.0, "gaussian": 250.0, "mixture": 240.0},
    "realism": {"high_pass_share": 0.33, "kid_eyes": 15.0, "kid_eyes_error": 1.5},
    "edit_evaluation": EVALUATION,
}


def both() -> dict[str, Any]:
    sharp = deepcopy(FIGURES)
    sharp |= {"psnr_db": 23.5, "frechet": {"reconstructions": 110.0, "gaussian": 140.0}}
    sharp["realism"] = {"high_pass_share": 0.8, "kid_eyes": 5.0, "kid_eyes_error": 0.5}
    return {**FIGURES, "at_detail_1": sharp}


@pytest.fixture
def checkpoint() -> Checkpoint:
    return Checkpoint(VAE(CONFIG).eval(), LatentStatistics(torch.zeros(2), torch.eye(2)))


def text_of(checkpoint: Checkpoint, folder: Path, metrics: dict[str, Any]) -> str:
    card.write(replace(checkpoint, metrics=metrics), folder)
    return (folder / "README.md").read_text()


def test_a_card_has_a_column_or_row_for_each_detail(checkpoint: Checkpoint, tmp_path: Path) -> None:
    text = text_of(checkpoint, tmp_path, both())
    assert "| PSNR of reconstructions | 24.40 dB | 23.50 dB |" in text
    assert "| `detail` 0 | 200.00 | 250.00 | 240.00 |" in text
    assert "| `detail` 1 | 110.00 | 140.00 |  |" in text  # measured with one prior less
    assert "| `detail` 1 |  | 5.0 ± 0.5 | 80% |" in text
    for detail in (0, 1):
        assert f"## Edits evaluated by classifiers, `detail` {detail}" in text
    assert "50.0% | 25.0% | 12.5% | 6.2% | 3.0% | 7.0% | 30.0 dB |" in text
    assert f"`{12 * 'a'}` (convnet)" in text


def test_a_card_without_a_branch_has_one_column(checkpoint: Checkpoint, tmp_path: Path) -> None:
    text = text_of(checkpoint, tmp_path, FIGURES)
    assert "| PSNR of reconstructions | 24.40 dB |\n" in text
    assert "## Edits evaluated by classifiers\n" in text


def test_figures_of_before_there_were_groups_are_shown(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    old = deepcopy(FIGURES)
    edit = old["edit_evaluation"]["edits"]["regression"]["1.5"]
    for name in [name for name in edit if name.startswith("sex_changed_")]:
        del edit[name]
    del old["edit_evaluation"]["sex_changed_by_reconstruction"]
    text = text_of(checkpoint, tmp_path, old)
    assert "| 50.0% | 25.0% | 12.5% | 30.0 dB |" in text
    assert "worst group |" not in text


def test_the_same_classifier_is_known_by_its_hash(checkpoint: Checkpoint, tmp_path: Path) -> None:
    before = deepcopy(FIGURES)
    del before["edit_evaluation"]["classifier"]["network"]
    other = deepcopy(FIGURES)
    other["edit_evaluation"]["classifier"]["sha256"] = 64 * "b"
    metrics = replace(checkpoint, metrics=FIGURES)
    card.write(metrics, tmp_path, {"before": before})
    assert "another classifier" not in (tmp_path / "README.md").read_text()
    card.write(metrics, tmp_path, {"other": other})
    assert "The edits of `other` were evaluated" in (tmp_path / "README.md").read_text()


def test_carried_frames_are_shown_at_each_weight(checkpoint: Checkpoint, tmp_path: Path) -> None:
    scores = {"closer_to_giver": 0.912, "closer_to_photograph": 0.8, "outside_eyes_psnr_db": 28.3}
    metrics = {**both(), "carried_edits": {"1.0": scores, "1.5": dict(scores)}}
    text = text_of(checkpoint, tmp_path, metrics)
    assert "## Frames of others, `detail` 0" in text
    assert "## Frames of others, `detail` 1" not in text  # not measured
    assert "| 1.0 | 91.2% | 80.0% | 28.3 dB |" in text
    assert "| Sex unchanged |" not in text  # without a classifier
    for by_weight in metrics["carried_edits"].values():
        by_weight["sex_unchanged"] = 0.97
    text = text_of(checkpoint, tmp_path, metrics)
    assert "| 1.5 | 91.2% | 80.0% | 97.0% | 28.3 dB |" in text


def test_a_column_with_a_bar_in_its_name_is_one_cell() -> None:
    direction = Direction(torch.ones(4), "a|b: from 1 to 2", "regression on a|b", 7)
    row = r"| `a_b` | a\|b: from 1 to 2 | 2.00 | regression on a\|b, 7 images |"
    assert card_tables.directions({"a_b": direction})[-1] == row
