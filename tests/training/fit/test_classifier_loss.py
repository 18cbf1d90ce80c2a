import math

import pytest
import torch
from torch import Tensor

from training.analysis.classifier_networks import build
from training.fit.loss import Loss, LossConfig
from vae.attribute_classifier import AttributeClassifier
from vae.config import VAEConfig
from vae.model import VAE


def color(
    config: LossConfig,
    progress: float = 1.0,
    logits: Tensor | None = None,
    classifier: AttributeClassifier | None = None,
    labels: Tensor | None = None,
) -> float:
    """The objective of colour images, their copies a little off unless said otherwise."""
    torch.manual_seed(0)
    x = torch.rand(2, 3, 32, 32)
    model = VAE(VAEConfig("residual", 3, 32, latent_dim=2, widths=(4,), blocks=0))
    model.decode_logits = lambda z: (0.9 * x if logits is None else logits * x) - 0.5  # type: ignore[method-assign]
    generator = torch.Generator().manual_seed(0)
    loss = Loss(config, model, classifier)
    return float(loss(model, x, generator, progress, labels).objective.detach())


def classifier_with(logit: float) -> AttributeClassifier:
    """A classifier that predicts the same for every image."""
    classifier = build(["glasses"])
    torch.nn.init.zeros_(classifier.head.weight)
    torch.nn.init.constant_(classifier.head.bias, logit)
    return classifier


@pytest.mark.parametrize(
    ("labels", "nats"),
    [
        ([1.0, 1.0], math.log1p(math.exp(-2.0))),
        ([0.0, math.nan], math.log1p(math.exp(2.0))),
        ([math.nan, math.nan], 0.0),
    ],
    ids=["right", "wrong", "unknown"],
)
def test_the_classifier_loss_is_cross_entropy_of_known_labels(
    labels: list[float], nats: float
) -> None:
    plain, with_classifier = LossConfig(beta=0.0), LossConfig(beta=0.0, classifier_weight=0.5)
    found = color(
        with_classifier, classifier=classifier_with(2.0), labels=torch.tensor(labels)[:, None]
    )
    assert found == pytest.approx(color(plain) + 0.5 * nats)


def test_positive_labels_may_weigh_more() -> None:
    labels = torch.tensor([[1.0], [0.0]])
    found = [
        color(
            LossConfig(beta=0.0, classifier_weight=1.0, positive_weight=p),
            classifier=classifier_with(-2.0),
            labels=labels,
        )
        for p in (1.0, 5.0)
    ]
    assert found[1] - found[0] == pytest.approx(4.0 * math.log1p(math.exp(2.0)) / 2)


def test_the_classifier_trains_the_model_and_not_itself() -> None:
    torch.manual_seed(0)
    classifier, model = build(["glasses"]), VAE(VAEConfig(size=32, widths=(4,)))
    loss = Loss(LossConfig(weight=0.0, beta=0.0, classifier_weight=1.0), model, classifier)
    loss(model, torch.rand(2, 3, 32, 32), None, 1.0, torch.ones(2, 1)).objective.backward()
    assert max(float(p.grad.abs().max()) for p in model.parameters() if p.grad is not None) > 0
    assert all(p.grad is None for p in classifier.parameters())
    assert list(loss.parameters()) == []
    assert loss.state_dict().keys() == {"row_weights"}


@pytest.mark.parametrize(
    ("weight", "message"),
    [(0.0, "no classifier weight"), (0.5, "there is no --auxiliary-classifier")],
)
def test_a_classifier_and_its_weight_come_together(weight: float, message: str) -> None:
    classifier = None if weight else build(["glasses"])
    with pytest.raises(ValueError, match=message):
        Loss(LossConfig(classifier_weight=weight), VAE(VAEConfig(size=32, widths=(4,))), classifier)


def test_a_classifier_needs_colour() -> None:
    model = VAE(VAEConfig(channels=1, size=32, widths=(4,)))
    with pytest.raises(ValueError, match="colour"):
        Loss(LossConfig(classifier_weight=0.5), model, build(["glasses"]))


@pytest.mark.parametrize("weight", [1.0, 3.0])
def test_the_classifier_loss_has_a_gradient_in_weighted_rows_only(weight: float) -> None:
    torch.manual_seed(0)
    x, classifier = torch.rand(2, 3, 32, 32), build(["glasses"])
    raw = torch.rand(2, 3, 32, 32, requires_grad=True)
    model = VAE(VAEConfig(size=32, widths=(4,)))
    model.decode_logits = lambda z: raw - 0.5  # type: ignore[method-assign]
    config = LossConfig(weight=0.0, beta=0.0, row_weight=(0.25, 0.5, weight), classifier_weight=1.0)
    Loss(config, model, classifier)(model, x, None, 1.0, torch.ones(2, 1)).objective.backward()
    assert raw.grad is not None
    rows = raw.grad.abs().sum((0, 1, 3))
    assert rows[8:16].min() > 0
    assert float(rows[:8].sum() + rows[16:].sum()) == 0.0
