import pytest
import torch
from torch import Tensor

from training.fit.discriminator import (
    PatchDiscriminator,
    discriminator_hinge_loss,
    feature_matching_loss,
    generator_hinge_loss,
    low_frequency_loss,
)


def discriminator() -> PatchDiscriminator:
    torch.manual_seed(0)
    return PatchDiscriminator(3, width=4).eval()


@pytest.mark.parametrize(
    ("real", "fake", "loss"),
    [
        ([2.0, 1.0], [-1.0, -3.0], 0.0),  # beyond the margins nothing is lost
        ([0.0, 0.0], [0.0, 0.0], 2.0),
        ([0.5, 3.0], [-0.5, 1.0], 0.25 + 1.25),
    ],
)
def test_hinge_loss_of_the_discriminator(real: list[float], fake: list[float], loss: float) -> None:
    found = discriminator_hinge_loss(torch.tensor(real), torch.tensor(fake))
    assert found.item() == pytest.approx(loss)


def test_hinge_loss_of_the_generator_has_no_margin() -> None:
    assert generator_hinge_loss(torch.tensor([4.0, -1.0])).item() == pytest.approx(-1.5)


def test_feature_matching_is_the_mean_over_layers_and_teaches_the_fake_alone() -> None:
    real = [torch.zeros(1, 2, 1, 1, requires_grad=True), torch.ones(1, 1, 2, 2)]
    fake = [torch.full((1, 2, 1, 1), 3.0, requires_grad=True), torch.zeros(1, 1, 2, 2)]
    loss = feature_matching_loss(real, fake)
    assert loss.item() == pytest.approx((3.0 + 1.0) / 2)
    loss.backward()  # type: ignore[no-untyped-call]
    by_real, by_fake = real[0].grad, fake[0].grad
    assert by_real is None
    assert by_fake is not None
    assert by_fake.flatten().tolist() == pytest.approx([0.25, 0.25])


def test_low_frequency_loss_sees_averages_only() -> None:
    images = torch.zeros(1, 1, 8, 8)
    chequered = images.clone()
    chequered[..., ::2, ::2], chequered[..., 1::2, ::2] = 1.0, -1.0
    assert low_frequency_loss(chequered, images).item() == 0.0
    assert low_frequency_loss(images + 0.5, images).item() == pytest.approx(0.25)


@torch.inference_mode()
def test_a_logit_every_8_pixels_that_sees_54_pixels() -> None:
    network = discriminator()
    x = torch.rand(1, 3, 160, 160)
    condition = torch.rand(1, 3, 160, 160)
    logits, features = network(x, condition)
    assert logits.shape == (1, 1, 20, 20)
    assert [f.shape[1] for f in features] == [4, 8, 12, 16]

    def changed(image: Tensor) -> list[int]:
        rows = (network(image, condition)[0] != logits).any(3).flatten().nonzero().flatten()
        return [int(row) for row in rows]

    row = x.clone()
    row[:, :, 80] += 1.0
    found = changed(row)
    assert len(found) in (6, 7)  # 54 pixels are 6.75 steps of 8
    assert found == list(range(found[0], found[-1] + 1))
    assert (network(x, condition + 0.1)[0] != logits).all()


def test_spectral_norms_stay_until_they_are_updated_and_come_to_one() -> None:
    network = discriminator()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    x = torch.rand(1, 3, 32, 32)
    network(x, x)
    assert all(v.equal(before[k]) for k, v in network.state_dict().items())
    for _ in range(200):
        network.update_spectral_norms()
    assert not network.training
    weight = network.head.weight
    assert isinstance(weight, Tensor)
    weight = weight.detach().flatten(1)
    assert torch.linalg.matrix_norm(weight, 2).item() == pytest.approx(1.0, abs=1e-3)
    assert any(not v.equal(before[k]) for k, v in network.state_dict().items())
