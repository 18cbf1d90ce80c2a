"""Networks of one architecture share a graph, and nothing else."""

from collections.abc import Callable

import pytest
import torch

from app.inference.runners import EagerRunner
from app.inference.traced_networks import TracedNetworks
from tests.app.conftest import DIM
from tests.app.inference.runners import CPU
from vae.latent import seeded_noise
from vae.model import VAE

pytestmark = pytest.mark.usefixtures("no_gradients")


def test_a_second_model_is_not_traced_again_and_has_its_own_weights(
    detailed: VAE, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced: list[object] = []
    trace: Callable[..., object] = torch.jit.trace

    def counting(network: object, *arguments: object, **options: object) -> object:
        traced.append(network)
        return trace(network, *arguments, **options)

    monkeypatch.setattr(torch.jit, "trace", counting)
    second = VAE(detailed.config).eval()
    second.load_state_dict({name: 0.5 * w for name, w in detailed.state_dict().items()})
    graphs = TracedNetworks()
    latents, detail = seeded_noise(range(3), DIM), torch.tensor([0.0, 0.5, 1.0])
    images = []
    for model in (detailed, second, detailed):
        runner, eager = (EagerRunner(model, CPU, torch.float32, g) for g in (graphs, None))
        images.append(runner.decode(latents, detail))
        assert torch.equal(images[-1], eager.decode(latents, detail))
        assert torch.equal(runner.encode(images[-1])[0], eager.encode(images[-1])[0])
    assert not torch.equal(images[0], images[1])
    assert len(traced) == 5  # encoder, decoder, trunk, head and detail
    EagerRunner(detailed, CPU, torch.bfloat16, graphs)
    assert len(traced) == 10  # another data type, another graph
