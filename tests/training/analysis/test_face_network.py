import struct

import pytest
import torch

from training.analysis import dlib_file
from training.analysis.face_network import FaceNetwork


def integer(value: int) -> bytes:
    length = (value.bit_length() + 7) // 8
    return bytes([length]) + value.to_bytes(length, "little")


def layer(name: bytes, values: list[float], version: int = 2) -> bytes:
    sides = [version, len(values), 1, 1, 1]
    return name + b"".join(map(integer, sides)) + struct.pack(f"<{len(values)}f", *values)


def test_the_layers_of_one_kind_are_read_in_order() -> None:
    values = [0.5] * 300  # whose number takes two bytes
    data = b"\x01head" + layer(b"con_4", values) + layer(b"affine_", [2.0]) + layer(b"con_4", [3.0])
    first, second = dlib_file.tensors(data, b"con_4")
    assert first.tolist() == values
    assert second.tolist() == [3.0]
    assert [t.tolist() for t in dlib_file.tensors(data, b"affine_")] == [[2.0]]


def test_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="has version 1; it must be 2"):
        list(dlib_file.tensors(layer(b"con_4", [1.0], version=1), b"con_4"))


@pytest.fixture(scope="module")
def network() -> FaceNetwork:
    return FaceNetwork().eval()


@torch.inference_mode()
def test_features_are_finite_and_tell_images_apart(network: FaceNetwork) -> None:
    x = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    features = network(x)
    assert features.shape == (2, 256)
    assert features.isfinite().all()
    assert (features >= 0).all()  # behind a rectifier
    assert not torch.allclose(features[0], features[1])


def test_the_upper_levels_alone_are_trained(network: FaceNetwork) -> None:
    assert not any(p.requires_grad for p in network.lower.parameters())
    assert all(p.requires_grad for p in network.upper.parameters())
