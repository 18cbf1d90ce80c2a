from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.training.evaluate.exact import PERFECT, SIZE, Exact, checkpoint
from tests.training.sources import Bytes, dataset, noise
from training.data.dataset import Dataset
from training.evaluate.counterfactuals import counterfactual_edits, has_counterfactuals
from vae.directions import Direction

FRAMES = {"round": (slice(3, 5), 60), "square": (slice(5, 8), -50)}


def worn(ground: Bytes, frame: str) -> Bytes:
    """Glasses are a stripe; each frame lightens or darkens rows of its own."""
    rows, step = FRAMES[frame]
    image = ground.copy()
    image[rows] += np.uint8(step % 256)
    return image


def portraits(identities: int = 4) -> Dataset:
    """Every identity bare and in both frames."""
    images, tags = [], {"identity": list[str](), "frame": list[str](), "frame_color": list[str]()}
    for i, ground in enumerate(noise(identities, SIZE, channels=1) // 2 + 60):  # 60 to 187
        for frame in ("", *FRAMES):
            images.append(worn(ground, frame) if frame else ground)
            tags["identity"].append(str(i))
            tags["frame"].append(frame)
            tags["frame_color"].append("black" if frame else "")
    glasses = [float(bool(frame)) for frame in tags["frame"]]
    square = [float(frame == "square") for frame in tags["frame"]]
    return dataset(np.stack(images), {"glasses": glasses, "square": square}, tags)


def stripe(frame: str) -> Tensor:
    """What a frame adds to a latent."""
    rows, step = FRAMES[frame]
    vector = torch.zeros(SIZE, SIZE)
    vector[rows] = step / 255
    return vector.flatten()


def test_exact_arithmetic_gives_every_correct_result() -> None:
    glasses = Direction(stripe("round"), "on", "made", 1)
    square = Direction(stripe("square") - stripe("round"), "square", "made", 1)
    found = counterfactual_edits(
        checkpoint(Exact(), glasses=glasses, square=square, elsewhere=glasses), portraits()
    )
    assert found.keys() == {
        "put on (donors)",
        "take off (donors)",
        "take off (directions)",
        "another frame (donors)",
    }
    for scores in found.values():
        assert scores["closer_to_target"] == 1
        for name in ("edit", "reconstruction_bound", "preserved_edit"):
            assert scores[name] == pytest.approx(PERFECT, abs=1)
        for name in ("no_edit", "preserved_no_edit"):
            assert scores[name] < 25


def test_a_wrong_direction_scores_worse_than_no_edit() -> None:
    away = Direction(-stripe("round"), "wrong", "made", 1)
    edits = counterfactual_edits(checkpoint(Exact(), glasses=away), portraits())
    scores = edits["take off (directions)"]
    assert scores["edit"] < scores["no_edit"]
    assert edits["take off (donors)"]["edit"] == pytest.approx(PERFECT, abs=1)


def test_an_identity_is_not_its_own_donor() -> None:
    assert counterfactual_edits(checkpoint(Exact()), portraits(identities=1)) == {}


def test_images_without_a_bare_counterpart_are_left_out() -> None:
    data = portraits()
    rows = [i for i in range(len(data)) if i != 0]  # identity 0 is never seen bare
    tags = {k: [v[i] for i in rows] for k, v in data.tags.items()}
    labels = {k: v[rows] for k, v in data.labels.items()}
    without = replace(data, rows=data.rows[rows], tags=tags, labels=labels)
    found = counterfactual_edits(checkpoint(Exact()), without)
    assert found["put on (donors)"]["edit"] == pytest.approx(PERFECT, abs=1)


def test_only_data_with_identities_and_frames_has_counterfactuals() -> None:
    data = portraits()
    assert has_counterfactuals(data)
    assert not has_counterfactuals(replace(data, tags={"identity": data.tags["identity"]}))
