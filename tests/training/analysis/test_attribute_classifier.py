from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.sources import Bytes, dataset, noise
from training.analysis import attribute_classifier as probes
from training.analysis.attribute_classifier import Schedule
from training.data.dataset import DataError, Dataset

SIZE = 64
CPU = torch.device("cpu")


def striped(count: int, seed: int = 0) -> Dataset:
    """Pictures of noise; ``glasses`` is a dark band, ``male`` a light lower half."""
    rng = np.random.default_rng(seed)
    pictures: Bytes = noise(count, SIZE, seed=seed) // 2 + 40
    glasses, male = (rng.integers(0, 2, count) for _ in range(2))
    pictures[glasses == 1, 20:30] = 10
    pictures[male == 1, 40:] += 80
    unknown = np.where(np.arange(count) % 7 == 0, np.nan, glasses)
    return dataset(pictures, {"glasses": list(unknown), "male": list(male), "age": [30.5] * count})


@pytest.fixture(scope="module")
def fitted() -> probes.AttributeClassifier:
    return probes.fit(striped(96), ("glasses", "male"), Schedule(epochs=3, batch_size=16), CPU)


def test_probes_learn_labels_that_are_there(fitted: probes.AttributeClassifier) -> None:
    found = probes.accuracy(fitted, striped(48, seed=1))
    assert found["glasses"] > 0.9
    assert found["male"] > 0.9
    x = torch.full((1, 3, SIZE, SIZE), 0.4)
    with torch.inference_mode():
        assert 0 <= float(fitted.probability("male", x)) <= 1


def test_probes_that_are_saved_judge_the_same(
    fitted: probes.AttributeClassifier, tmp_path: Path
) -> None:
    file = tmp_path / "new" / "probes.safetensors"
    probes.save(fitted, {"glasses": 0.9, "male": 0.8}, file)
    again = probes.load(file)
    assert again.accuracy == {"glasses": 0.9, "male": 0.8}
    assert again.labels == ("glasses", "male")
    x = torch.rand(2, 3, SIZE, SIZE)
    with torch.inference_mode():
        assert again(x).equal(fitted(x))


@pytest.mark.parametrize("text", [b"", b"no safetensors"])
def test_a_file_without_probes_is_told(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "probes.safetensors"
    with pytest.raises(DataError, match="no probes can be read"):
        probes.load(file)
    file.write_bytes(text)
    with pytest.raises(DataError, match="no probes can be read"):
        probes.load(file)


@pytest.mark.parametrize(("label", "told"), [("hat", "no label 'hat'"), ("age", "of 0 and 1")])
def test_a_label_that_cannot_be_probed_is_told(label: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        probes.fit(striped(8), (label,), Schedule(), CPU)


def test_probes_do_not_take_glasses_for_a_sign_of_sex() -> None:
    """Of labels that go together in the data, each is learnt as if they did not."""
    glasses = torch.tensor([1.0] * 9 + [0.0] * 4 + [1.0] + [0.0] * 6)
    male = torch.tensor([1.0] * 13 + [0.0] * 7)
    table = torch.stack([glasses, male], dim=1)
    weights = probes.independence_weights(table)
    assert weights.sum().item() == pytest.approx(len(table))
    for sex in (0, 1):
        of_sex = weights * (male == sex)
        assert (of_sex * glasses).sum() / of_sex.sum() == pytest.approx(0.5)
    unknown = torch.tensor([[torch.nan, 1.0]])
    assert probes.independence_weights(torch.cat([table, unknown]))[-1] == 1
