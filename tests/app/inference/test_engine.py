from collections.abc import Iterator

import numpy as np
import pytest
import torch

from app.inference.batcher import DeviceLostError
from app.inference.engine import DeviceError, Engine, choose_device
from tests.app.conftest import DIM, SIZE, apart, picture, tiny_checkpoint
from vae.latent import seeded_noise
from vae.pixels import to_float, to_uint8

PICTURES = [np.asarray(picture(seed)) for seed in range(5)]
LATENTS = list(seeded_noise(range(5), DIM))
CPU = torch.device("cpu")


@pytest.fixture
def free_algorithms() -> Iterator[None]:
    yield
    torch.use_deterministic_algorithms(False)


def test_it_answers_as_the_model_does() -> None:
    model = tiny_checkpoint(0).model
    engine = Engine(tiny_checkpoint(0), CPU, batch_size_one=False)
    with torch.inference_mode():
        posterior = model.encode(to_float(torch.from_numpy(np.stack(PICTURES))))
        copies = to_uint8(model.decode(torch.stack(LATENTS))).numpy()
    for i, found in enumerate(engine.encode_many(PICTURES)):
        torch.testing.assert_close(found.mean, posterior.mean[i : i + 1], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(found.logvar, posterior.logvar[i : i + 1], atol=1e-4, rtol=1e-4)
    for image, expected in zip(engine.decode_many(LATENTS), copies, strict=True):
        assert image.dtype == np.uint8
        assert image.shape == (SIZE, SIZE, 3)
        assert apart(image, expected) <= 1
    assert apart(copies[0], copies[1]) > 10


def test_a_grey_model() -> None:
    engine = Engine(tiny_checkpoint(9, channels=1, dim=5), CPU, batch_size_one=False)
    grey = [image[:, :, :1] for image in PICTURES]
    assert [p.mean.shape for p in engine.encode_many(grey)] == [(1, 5)] * 5
    assert [p.shape for p in engine.decode_many(list(seeded_noise([1, 2], 5)))] == [
        (SIZE, SIZE, 1)
    ] * 2


def test_one_by_one_gives_the_same_bytes_in_any_company(free_algorithms: None) -> None:
    engine = Engine(tiny_checkpoint(0), CPU, batch_size_one=True)
    engine.warm_up(4)
    together = engine.decode_many(LATENTS)
    alone = [engine.decode_many([z])[0] for z in LATENTS]
    assert np.array_equal(together, alone)
    encoded = engine.encode_many(PICTURES)
    for image, found in zip(PICTURES, encoded, strict=True):
        assert torch.equal(engine.encode_many([image])[0].mean, found.mean)


def test_a_device_that_answers_nothing_any_more_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    engine = Engine(tiny_checkpoint(0), CPU, batch_size_one=False)
    monkeypatch.setattr(engine._plain, "decode", fails)
    monkeypatch.setattr(engine, "_device", torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "synchronize", lambda *_: None)
    with pytest.raises(RuntimeError, match="illegal"):
        engine.decode_many(LATENTS)
    monkeypatch.setattr(torch.cuda, "synchronize", fails)
    with pytest.raises(DeviceLostError, match="the device is lost"):
        engine.decode_many(LATENTS)


def test_float32_on_cuda_is_not_rounded_to_tf32() -> None:
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cuda.matmul.allow_tf32 = True
    Engine(tiny_checkpoint(0), CPU, batch_size_one=False)
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


def test_the_device() -> None:
    assert choose_device("cpu") == CPU
    if torch.cuda.is_available():
        assert choose_device("auto") == choose_device("cuda") == torch.device("cuda")
    else:
        assert choose_device("auto") == CPU
        with pytest.raises(DeviceError, match="use auto or cpu"):
            choose_device("cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_float32_on_cuda_agrees_with_the_cpu_within_one_grey_level() -> None:
    here, there = (
        Engine(tiny_checkpoint(0), torch.device(kind), batch_size_one=False)
        for kind in ("cpu", "cuda")
    )
    for ours, theirs in zip(here.decode_many(LATENTS), there.decode_many(LATENTS), strict=True):
        assert apart(ours, theirs) <= 1
    for a, b in zip(here.encode_many(PICTURES), there.encode_many(PICTURES), strict=True):
        assert b.mean.device == CPU
        torch.testing.assert_close(a.mean, b.mean, atol=0.05, rtol=0.01)
