import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.training.sources import dataset, noise
from training.analysis import attribute_classifier
from training.analysis.attribute_classifier import cross_entropy, label_table
from training.analysis.classifier_networks import NETWORKS, build
from training.data.dataset import DataError
from vae.attribute_classifier import AttributeClassifier, save

SIZE = 64
NAN = float("nan")


@pytest.fixture(scope="module", params=NETWORKS)
def classifier(request: pytest.FixtureRequest) -> AttributeClassifier:
    torch.manual_seed(0)
    return build(("glasses", "male"), request.param).eval()


@torch.inference_mode()
def test_a_loaded_classifier_computes_as_the_saved_one(
    classifier: AttributeClassifier, tmp_path: Path
) -> None:
    file = tmp_path / "new" / "classifier.safetensors"
    save(classifier, {"glasses": 0.9, "male": 0.8}, file)
    loaded = attribute_classifier.load(file)
    assert loaded.accuracy == {"glasses": 0.9, "male": 0.8}
    assert loaded.labels == ("glasses", "male")
    assert loaded.network == classifier.network
    assert loaded.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    x = torch.rand(2, 3, SIZE, SIZE)
    assert loaded(x).equal(classifier(x))


def test_a_file_with_the_old_metadata_key_is_read(tmp_path: Path) -> None:
    file = tmp_path / "probes.safetensors"
    save(build(("glasses", "male")), {}, file)
    metadata = json.dumps({"labels": ["glasses", "male"], "accuracy": {"male": 0.5}})
    save_file(load_file(file), file, {"probes": metadata})
    assert attribute_classifier.load(file).accuracy == {"male": 0.5}


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {},
        {"attribute_classifier": "{"},
        {"attribute_classifier": '{"labels": ["glasses"], "network": "other", "accuracy": {}}'},
    ],
)
def test_a_file_without_a_classifier_is_refused(
    metadata: dict[str, str] | None, tmp_path: Path
) -> None:
    file = tmp_path / "other.safetensors"
    for content in (None, b"", b"no safetensors"):
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(DataError, match=r"other\.safetensors: no classifier can be read"):
            attribute_classifier.load(file)
    save_file({"weight": torch.ones(2)}, file, metadata)
    with pytest.raises(DataError, match=r"other\.safetensors: no classifier can be read"):
        attribute_classifier.load(file)


@torch.inference_mode()
def test_a_probability_is_the_sigmoid_of_its_labels_logit(classifier: AttributeClassifier) -> None:
    x = torch.rand(3, 3, SIZE, SIZE)
    expected = classifier(x)[:, 1].sigmoid()
    torch.testing.assert_close(classifier.probability("male", x), expected)


def test_accuracy_counts_the_images_of_known_label(classifier: AttributeClassifier) -> None:
    images = noise(6, SIZE)
    with torch.inference_mode():
        predicted = classifier(torch.from_numpy(images).permute(0, 3, 1, 2) / 255) > 0
    glasses = predicted[:, 0].float()
    glasses[0] = 1 - glasses[0]
    glasses[1] = NAN
    data = dataset(images, {"glasses": glasses.tolist(), "male": [NAN] * 6})
    fractions = attribute_classifier.accuracy(classifier, data)
    assert fractions["glasses"] == pytest.approx(4 / 5)
    assert fractions["male"] != fractions["male"]  # NaN


def test_the_label_table_keeps_unknown_labels() -> None:
    data = dataset(noise(3, 8), {"glasses": [0, NAN, 1], "male": [1, 1, 0]})
    table = label_table(data, ("male", "glasses"))
    torch.testing.assert_close(table, torch.tensor([[1, 0], [1, NAN], [0, 1.0]]), equal_nan=True)


@pytest.mark.parametrize(("label", "message"), [("hat", "no label 'hat'"), ("age", "of 0 and 1")])
def test_a_label_that_cannot_be_learnt_is_named(label: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        label_table(dataset(noise(2, 8), {"age": [30.5, 20]}), (label,))


def test_cross_entropy_ignores_unknown_labels() -> None:
    logits = torch.tensor([[2.0, -1.0], [0.5, 3.0]])
    truth = torch.tensor([[1.0, NAN], [0.0, NAN]])
    first = torch.nn.functional.softplus(torch.tensor(-2.0))
    second = torch.nn.functional.softplus(torch.tensor(0.5))
    torch.testing.assert_close(cross_entropy(logits, truth), (first + second) / 2)
    torch.testing.assert_close(cross_entropy(logits, truth, positive=3.0), (3 * first + second) / 2)
    weighted = cross_entropy(logits, truth, weight=torch.tensor([2.0, 0.0]))
    torch.testing.assert_close(weighted, first)
    assert cross_entropy(logits, torch.full((2, 2), NAN)) == 0
