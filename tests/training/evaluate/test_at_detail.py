import torch

from training.evaluate.at_detail import at_detail
from vae.checkpoint import Checkpoint
from vae.config import VAEConfig
from vae.model import VAE
from vae.prior import LatentStatistics


@torch.inference_mode()
def test_every_picture_is_drawn_at_the_detail() -> None:
    torch.manual_seed(0)
    model = VAE(VAEConfig(size=32, latent_dim=4, widths=(8, 8, 8), detail_channels=4)).eval()
    assert model.detail is not None
    for parameter in model.detail.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter))
    found = Checkpoint(model, LatentStatistics(torch.zeros(4), torch.eye(4)), sha256="a")
    z = torch.randn(3, 4)
    half = at_detail(found, 0.5)
    assert half.model.decode(z).equal(model.decode_with_detail(z, torch.full((3,), 0.5)))
    assert at_detail(found, 0.0).model.decode(z).equal(model.decode(z))
    assert not half.model.decode(z).equal(model.decode(z))
    x = torch.rand(2, 3, 32, 32)
    assert half.model.encode(x).mean.equal(model.encode(x).mean)
    assert half.sha256 == "a"
    assert not half.model.training
