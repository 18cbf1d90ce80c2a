import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from vae.attribute_classifier import AttributeClassifier, ConvNet, convnet_classifier, load, save
from vae.checkpoint import CheckpointError
from vae.networks import parameter_count


@pytest.fixture
def classifier() -> AttributeClassifier:
    torch.manual_seed(0)
    return convnet_classifier(("glasses", "male")).eval()


@pytest.fixture
def file(classifier: AttributeClassifier, tmp_path: Path) -> Path:
    save(classifier, {"glasses": 0.9, "male": 0.8}, path := tmp_path / "classifier.safetensors")
    return path


def test_parameters_of_the_convnet() -> None:
    assert parameter_count(ConvNet()) == 647_808


@torch.inference_mode()
def test_half_precision_halves_the_file_and_keeps_the_probabilities(
    classifier: AttributeClassifier, file: Path, tmp_path: Path
) -> None:
    half = tmp_path / "new" / "half.safetensors"
    save(classifier, {"glasses": 0.9, "male": 0.8}, half, torch.float16)
    assert half.stat().st_size < 0.51 * file.stat().st_size
    loaded = load(half)
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    x = torch.rand(4, 3, 64, 64)
    expected = classifier.probability("male", x)
    torch.testing.assert_close(loaded.probability("male", x), expected, rtol=0, atol=2e-3)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"network": "efficientnet-lite0"}, "network is 'efficientnet-lite0'; it must be 'conv"),
        ({"labels": []}, "no labels"),
        ({"labels": ["glasses"]}, "size mismatch for head.weight"),
        ({"labels": 3}, "not iterable"),
        ({"accuracy": [0.9]}, "has no attribute 'items'"),
        ({"accuracy": {"glasses": "high"}}, "could not convert string to float"),
    ],
)
def test_metadata_that_does_not_fit_is_refused_in_one_line(
    file: Path, change: dict[str, object], reason: str
) -> None:
    metadata = {"labels": ["glasses", "male"], "network": "convnet", "accuracy": {}}
    save_file(load_file(file), file, {"attribute_classifier": json.dumps(metadata | change)})
    with pytest.raises(CheckpointError, match=reason) as caught:
        load(file)
    assert len(str(caught.value).splitlines()) == 1


def test_weights_that_are_not_finite_are_refused(
    classifier: AttributeClassifier, tmp_path: Path
) -> None:
    with torch.no_grad():
        classifier.head.bias[0] = torch.nan
    save(classifier, {}, file := tmp_path / "classifier.safetensors")
    with pytest.raises(CheckpointError, match="not finite"):
        load(file)
