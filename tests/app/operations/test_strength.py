"""The strength of directions, through HTTP, with a classifier that really judges the images."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from httpx import Client

from app.settings import Settings
from tests.app.conftest import DIM, apart, images, latents, ok, pixels, problem, serving
from vae import attribute_classifier, checkpoint
from vae.attribute_classifier import AttributeClassifier, convnet_classifier
from vae.directions import apply_directions
from vae.latent import seeded_noise
from vae.pixels import to_float, to_uint8

CANDIDATES = (1, 1.25, 1.5, 1.75, 2)
LABELS = ("glasses", "smile")
ME = seeded_noise([11], DIM)[0].tolist()
LOGIT = 10.0


def brightness_classifier(labels: tuple[str, ...]) -> AttributeClassifier:
    """Its logits are the mean brightness of one colour: red for the first label, then green."""
    classifier = convnet_classifier(labels).eval()
    with torch.no_grad():
        for parameter in classifier.parameters():
            parameter.zero_()
        convolutions = [m for m in classifier.modules() if isinstance(m, torch.nn.Conv2d)]
        norms = [m for m in classifier.modules() if isinstance(m, torch.nn.BatchNorm2d)]
        for number in range(len(labels)):
            for convolution, norm in zip(convolutions, norms, strict=True):
                convolution.weight[number, number, 1, 1] = 1.0
                norm.weight[number] = 1.0
            convolutions[0].bias[number] = 1.0  # type: ignore[index] # its input is -1..1
            classifier.head.weight[number].view(-1, 16)[number] = 1 / 16
    return classifier


@torch.inference_mode()
def calibrated(classifier: AttributeClassifier, model: Path) -> AttributeClassifier:
    """The same, whose answer for each label is no at strength 1.25 and yes at 1.5."""
    loaded = checkpoint.load(model)
    for number, label in enumerate(classifier.labels):
        start, direction = torch.tensor(ME), loaded.directions[label]
        z = torch.stack([apply_directions(start, [(s, direction)]) for s in (1.25, 1.5)])
        before, after = classifier(to_float(to_uint8(loaded.model.decode(z))))[:, number].tolist()
        assert abs(after - before) > 0.005
        gain = 2 * LOGIT / (after - before)
        classifier.head.weight[number] *= gain
        classifier.head.bias[number] = -gain * (before + after) / 2
    return classifier


@pytest.fixture(scope="module")
def folder(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model ``tiny`` with a classifier of both directions, of one and of none."""
    folder = tmp_path_factory.mktemp("strength")
    for name, labels in {"both": LABELS, "one": LABELS[:1], "none": ()}.items():
        (folder / name).mkdir()
        file = folder / name / "model.safetensors"
        file.write_bytes((models / "tiny/model.safetensors").read_bytes())
        if labels:
            classifier = calibrated(brightness_classifier(labels), file)
            accuracy = dict.fromkeys(labels, 0.75)
            attribute_classifier.save(
                classifier, accuracy, file.with_name("auxiliary_classifier.safetensors")
            )
    return folder


@pytest.fixture(scope="module")
def client(settings: Callable[..., Settings], folder: Path) -> Iterator[Client]:
    with serving(settings(models=tuple(str(folder / n) for n in ("both", "one", "none")))) as found:
        yield found


def arithmetic(
    client: Client, expression: str, model: str = "both", form: str = "json", **fields: Any
) -> httpx.Response:
    body = {"expression": expression, "operands": {"me": {"latent": ME}}, **fields}
    return client.post("/arithmetic", params={"model": model, "format": form}, json=body)


@torch.inference_mode()
def expected(client: Client, folder: Path, expression: str, **has: bool) -> float:
    """The least strength at which a classifier sees what is expected, of one image at a time."""
    file = folder / "both" / "auxiliary_classifier.safetensors"
    classifier = attribute_classifier.load(file)
    least = []
    for strength in CANDIDATES:
        [image] = images(arithmetic(client, expression, strength=strength))
        x = to_float(torch.from_numpy(image.copy())[None])
        p = {label: classifier.probability(label, x).item() for label in has}
        least.append(min(p[label] if wanted else 1 - p[label] for label, wanted in has.items()))
    shown = [s for s, p in zip(CANDIDATES, least, strict=True) if p >= 0.9]
    return shown[0] if shown else CANDIDATES[int(np.argmax(least))]


def test_auto_is_the_least_strength_that_the_classifier_sees(client: Client, folder: Path) -> None:
    for label in LABELS:
        response = ok(arithmetic(client, f"me + {label}", strength="auto"))
        assert response.json()["strength"] == 1.5
        assert response.headers["lorgnette-strength"] == "1.5"
        assert expected(client, folder, f"me + {label}", **{label: True}) == 1.5
        plain = ok(arithmetic(client, f"me + 1.5*{label}"))
        assert apart(images(response)[0], images(plain)[0]) <= 1
        np.testing.assert_array_equal(latents(response), latents(plain))


@pytest.mark.parametrize(
    ("expression", "has"),
    [
        ("me - glasses", {"glasses": False}),
        ("me + 3*glasses - 2*glasses", {"glasses": True}),
        ("me + glasses + smile", {"glasses": True, "smile": True}),
        ("me + glasses - smile", {"glasses": True, "smile": False}),
        ("glasses - 0.5*me", {"glasses": True}),
        ("me + 0.1*glasses", {"glasses": True}),
        ("me + 1.35*glasses", {"glasses": True}),
        ("me + 0.7*glasses", {"glasses": True}),
    ],
)
def test_auto_judges_every_direction_by_its_sign(
    client: Client, folder: Path, expression: str, has: dict[str, bool]
) -> None:
    response = ok(arithmetic(client, expression, strength="auto")).json()
    assert response["strength"] == expected(client, folder, expression, **has)


def test_auto_is_the_nearest_where_none_succeeds(client: Client) -> None:
    response = ok(arithmetic(client, "me + 0.3*glasses", strength="auto"))
    assert response.json()["strength"] == 2


def test_auto_is_deterministic_and_in_a_header_of_a_png(client: Client) -> None:
    first, again = (arithmetic(client, "me + glasses", form="png", strength="auto") for _ in "12")
    assert ok(first).content == ok(again).content
    assert first.headers["lorgnette-strength"] == again.headers["lorgnette-strength"] == "1.5"


def test_auto_in_a_form_and_with_preserve(client: Client) -> None:
    photo = ok(arithmetic(client, "me", form="png")).content
    options = {"expression": "me + glasses", "preserve": "1", "embedded": "true"}
    answers = {
        strength: ok(
            client.post("/arithmetic", data={**options, "strength": strength}, files={"me": photo})
        )
        for strength in ("auto", "1.5", "1")
    }
    assert answers["auto"].headers["lorgnette-strength"] == "1.5"
    assert "lorgnette-strength" not in answers["1.5"].headers
    auto, same, other = (pixels(answers[s].content) for s in ("auto", "1.5", "1"))
    assert apart(auto, same) <= 2
    assert apart(auto, other) > 10


def test_auto_takes_nothing_from_a_photograph_that_lacks_it(client: Client) -> None:
    photo = ok(arithmetic(client, "me", form="png")).content
    form = {"expression": "me - glasses", "strength": "auto", "preserve": "1"}
    response = ok(client.post("/arithmetic", data=form, files={"me": photo}))
    assert response.headers["lorgnette-strength"] == "0"
    assert np.array_equal(pixels(response.content), pixels(photo))
    worn = ok(arithmetic(client, "me + 2*glasses", form="png")).content
    response = ok(client.post("/arithmetic", data=form, files={"me": worn}))
    assert float(response.headers["lorgnette-strength"]) >= 1
    assert not np.array_equal(pixels(response.content), pixels(worn))


def test_a_number_multiplies_the_weights_of_directions_only(client: Client) -> None:
    for strength, same in ((0, "me"), (0.5, "me + 0.5*glasses"), (2, "me + 2*glasses")):
        response = ok(arithmetic(client, "me + glasses", strength=strength))
        assert response.content == arithmetic(client, same).content
    assert arithmetic(client, "me", strength=2).content == arithmetic(client, "me").content


def test_without_auto_no_strength_is_told(client: Client) -> None:
    for model in ("both", "none"):
        response = ok(arithmetic(client, "me + glasses", model))
        assert list(response.json()) == ["model", "detail", "images", "latents", "seeds"]
        assert "lorgnette-strength" not in response.headers


@pytest.mark.parametrize(
    ("model", "expression", "words"),
    [
        ("both", "me", ("needs a direction", "knows glasses, smile")),
        ("both", "me + 0*glasses + smile - smile", ("needs a direction", "glasses, smile")),
        ("one", "me + smile + glasses", ("cannot judge smile", "'one' knows glasses")),
        ("none", "me + glasses", ("'none' has none", "knows no labels", "send a number")),
    ],
)
def test_auto_that_cannot_be_judged_is_refused(
    client: Client, model: str, expression: str, words: tuple[str, ...]
) -> None:
    body = problem(arithmetic(client, expression, model, strength="auto"), 422, *words)
    assert body["type"] == "urn:lorgnette:strength"
    assert [error["pointer"] for error in body["errors"]] == ["#/strength"]


@pytest.mark.parametrize("strength", [-0.1, 2.01, "much", "AUTO", "NaN", None, [1], {}], ids=str)
def test_strength_is_a_number_from_0_to_2_or_auto(client: Client, strength: Any) -> None:
    response = arithmetic(client, "me + glasses", strength=strength)
    [error] = problem(response, 422, "a number from 0 to 2, or auto")["errors"]
    assert error["pointer"] == "#/strength"


def test_models_tell_their_classifier(client: Client, folder: Path) -> None:
    listed = ok(client.get("/models")).json()["models"]
    found = {model["name"]: model["auxiliary_classifier"] for model in listed}
    assert found["none"] is None
    for name, labels in {"both": ["glasses", "smile"], "one": ["glasses"]}.items():
        file = folder / name / "auxiliary_classifier.safetensors"
        sha256 = attribute_classifier.load(file).sha256
        accuracy = dict.fromkeys(labels, 0.75)
        assert found[name] == {"sha256": sha256, "labels": labels, "accuracy": accuracy}
