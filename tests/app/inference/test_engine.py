from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from app.inference.engine import DecoderInput, Engine, choose_device
from app.inference.errors import DeviceError, DeviceLostError, OutOfMemoryError
from tests.app.conftest import DIM, SIZE, apart, random_image, tiny_checkpoint
from vae.latent import seeded_noise
from vae.model import VAE
from vae.pixels import to_float, to_uint8

IMAGES = [np.asarray(random_image(seed)) for seed in range(5)]
LATENTS = list(seeded_noise(range(5), DIM))
INPUTS = [DecoderInput(z) for z in LATENTS]
CPU = torch.device("cpu")


@pytest.fixture
def reset_deterministic() -> Iterator[None]:
    yield
    torch.use_deterministic_algorithms(False)


def test_results_are_those_of_the_model() -> None:
    model = tiny_checkpoint(0).model
    engine = Engine(tiny_checkpoint(0), CPU, batch_size_one=False)
    with torch.inference_mode():
        posterior = model.encode(to_float(torch.from_numpy(np.stack(IMAGES))))
        copies = to_uint8(model.decode(torch.stack(LATENTS))).numpy()
    for i, encoded in enumerate(engine.encode_many(IMAGES)):
        torch.testing.assert_close(encoded.mean, posterior.mean[i : i + 1], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(
            encoded.logvar, posterior.logvar[i : i + 1], atol=1e-4, rtol=1e-4
        )
    for image, expected in zip(engine.decode_many(INPUTS), copies, strict=True):
        assert image.dtype == np.uint8
        assert image.shape == (SIZE, SIZE, 3)
        assert apart(image, expected) <= 1
    assert apart(copies[0], copies[1]) > 10


def test_a_grey_model() -> None:
    engine = Engine(tiny_checkpoint(9, channels=1, dim=5), CPU, batch_size_one=False)
    grey = [image[:, :, :1] for image in IMAGES]
    assert [p.mean.shape for p in engine.encode_many(grey)] == [(1, 5)] * 5
    assert [
        p.shape for p in engine.decode_many([DecoderInput(z) for z in seeded_noise([1, 2], 5)])
    ] == [(SIZE, SIZE, 1)] * 2


def test_batch_size_one_gives_the_same_bytes_with_any_batch_neighbours(
    reset_deterministic: None,
) -> None:
    engine = Engine(tiny_checkpoint(0), CPU, batch_size_one=True)
    engine.warm_up(4)
    together = engine.decode_many(INPUTS)
    alone = [engine.decode_many([item])[0] for item in INPUTS]
    assert np.array_equal(together, alone)
    encoded = engine.encode_many(IMAGES)
    for image, posterior in zip(IMAGES, encoded, strict=True):
        assert torch.equal(engine.encode_many([image])[0].mean, posterior.mean)


def test_a_lost_device_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    engine = Engine(tiny_checkpoint(0), CPU, batch_size_one=False)
    monkeypatch.setattr(engine._reference, "decode", fails)
    monkeypatch.setattr(engine, "_device", torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "synchronize", lambda *_: None)
    with pytest.raises(RuntimeError, match="illegal"):
        engine.decode_many(INPUTS)
    monkeypatch.setattr(torch.cuda, "synchronize", fails)
    with pytest.raises(DeviceLostError, match="the device is lost"):
        engine.decode_many(INPUTS)


def allocate_on_cpu() -> None:
    torch.empty(2**60, dtype=torch.uint8)


def allocate_in_numpy() -> None:
    np.empty(2**60, dtype=np.uint8)


def raise_from_cuda() -> None:
    raise torch.AcceleratorError("CUDA error: out of memory")


def raise_from_cuda_allocator() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def raise_from_cublas() -> None:
    raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")


OUT_OF_MEMORY = [
    allocate_on_cpu,
    allocate_in_numpy,
    raise_from_cuda,
    raise_from_cuda_allocator,
    raise_from_cublas,
]


@pytest.mark.parametrize("exhaust", OUT_OF_MEMORY)
def test_too_little_memory_for_one_image_is_reported(
    exhaust: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(tiny_checkpoint(0), CPU, batch_size_one=False)
    monkeypatch.setattr(VAE, "decode_logits", lambda *_: exhaust())
    with pytest.raises(OutOfMemoryError, match="not enough memory on the device for one image"):
        engine.decode_many(INPUTS)


@pytest.mark.parametrize("exhaust", OUT_OF_MEMORY)
def test_a_batch_that_exceeds_memory_is_run_in_parts(
    exhaust: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(tiny_checkpoint(0), CPU, batch_size_one=False)
    expected = engine.decode_many(INPUTS)
    decode_logits = VAE.decode_logits
    sizes: list[int] = []

    def limited(model: VAE, z: Tensor) -> Tensor:
        sizes.append(len(z))
        if len(z) > 2:
            exhaust()
        return decode_logits(model, z)

    monkeypatch.setattr(VAE, "decode_logits", limited)
    for image, whole in zip(engine.decode_many(INPUTS), expected, strict=True):
        assert apart(image, whole) <= 1
    assert sizes == [5, 3, 2, 1, 2]


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
        Engine(tiny_checkpoint(0), torch.device(name), batch_size_one=False)
        for name in ("cpu", "cuda")
    )
    for image, other in zip(here.decode_many(INPUTS), there.decode_many(INPUTS), strict=True):
        assert apart(image, other) <= 1
    for a, b in zip(here.encode_many(IMAGES), there.encode_many(IMAGES), strict=True):
        assert b.mean.device == CPU
        torch.testing.assert_close(a.mean, b.mean, atol=0.05, rtol=0.01)
