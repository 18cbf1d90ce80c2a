import pytest
import torch

from vae.pixels import to_float, to_uint8


def test_every_byte_survives_the_round_trip() -> None:
    bytes_ = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1)
    assert torch.equal(to_uint8(to_float(bytes_)), bytes_)


def test_range_is_zero_to_one() -> None:
    ends = to_float(torch.tensor([[[[0], [255]]]], dtype=torch.uint8))
    assert ends.dtype == torch.float32
    assert ends.flatten().tolist() == [0.0, 1.0]


def test_layout_is_channels_last_outside_and_first_inside() -> None:
    outside = torch.arange(2 * 3 * 5 * 3, dtype=torch.uint8).reshape(2, 3, 5, 3)
    inside = to_float(outside)
    assert inside.shape == (2, 3, 3, 5)
    assert inside[1, 2, 0, 4] * 255 == outside[1, 0, 4, 2]
    assert torch.equal(to_uint8(inside), outside)


def test_bytes_are_contiguous_however_the_floats_lie() -> None:
    floats = torch.rand(2, 3, 4, 5)
    for image in (floats, floats.contiguous(memory_format=torch.channels_last)):
        assert to_uint8(image).is_contiguous()


@pytest.mark.parametrize(
    ("value", "byte"),
    [
        (-0.5, 0),
        (-1e-6, 0),
        (1.0 + 1e-6, 255),
        (1.5, 255),
        (1e9, 255),
        (127.4 / 255, 127),
        (127.6 / 255, 128),
        (0.999, 255),
        (0.4 / 255, 0),
    ],
)
def test_floats_are_clipped_and_rounded_to_the_nearest(value: float, byte: int) -> None:
    assert to_uint8(torch.full((1, 1, 1, 1), value)).item() == byte


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_to_uint8_does_not_change_its_input(dtype: torch.dtype) -> None:
    image = torch.tensor([-1.0, 0.3, 2.0], dtype=dtype).reshape(1, 3, 1, 1)
    before = image.clone()
    to_uint8(image)
    assert torch.equal(image, before)
