"""What is not a checkpoint is refused, and never run."""

import json
import pickle
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.vae.checkpoints import assert_refused, contents
from vae import checkpoint


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert_refused(tmp_path / "absent.safetensors", "no such checkpoint")
    with pytest.raises(checkpoint.CheckpointError, match=r"model.safetensors: no such checkpoint"):
        checkpoint.load(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.3, 0.6, 0.9, 0.999])
def test_truncated(file: Path, share: float) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    assert_refused(file, "truncated, or not a safetensors file")


def test_one_byte_too_many_or_too_few(file: Path) -> None:
    content = file.read_bytes()
    for damaged in (content + b"\0", content[:-1]):
        file.write_bytes(damaged)
        assert_refused(file, "truncated, or not a safetensors file")


@pytest.mark.parametrize("head", [b"", b"\x40" + bytes(7)], ids=["nonsense", "plausible length"])
def test_random_bytes(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "random.safetensors"
    for seed in range(20):
        path.write_bytes(head + random.Random(seed).randbytes(1000))
        assert_refused(path)


@pytest.mark.parametrize("length", [10**9, 2**40, 2**63, 2**64 - 1])
def test_a_header_that_claims_more_than_there_is(file: Path, length: int) -> None:
    content = file.read_bytes()
    file.write_bytes(length.to_bytes(8, "little") + content[8:])
    assert_refused(file, "truncated, or not a safetensors file")


@pytest.mark.parametrize("end", [10**9, 2**40, 2**63, 2**64 - 1])
def test_a_tensor_that_claims_more_than_there_is(tmp_path: Path, end: int) -> None:
    path = tmp_path / "model.safetensors"
    tensor = {"dtype": "F32", "shape": [end // 4], "data_offsets": [0, end]}
    header = json.dumps({"model.weight": tensor}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(64))
    assert_refused(path, "truncated, or not a safetensors file")


class Payload:
    """Unpickled, it creates a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_never_run(tmp_path: Path, protocol: int) -> None:
    path, marker = tmp_path / "model.pkl", tmp_path / "marker"
    path.write_bytes(pickle.dumps(Payload(marker), protocol))
    assert_refused(path, "a pickle can run code" if protocol >= 2 else "not a safetensors file")
    assert not marker.exists()
    pickle.loads(path.read_bytes())
    assert marker.exists(), "the payload is live"


@pytest.mark.parametrize("zipped", [True, False])
def test_a_torch_save_file_is_never_run(tmp_path: Path, zipped: bool) -> None:
    path, marker = tmp_path / "model.pt", tmp_path / "marker"
    content = {"weight": torch.ones(3), "payload": Payload(marker)}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    assert_refused(path, "this is a pickle (torch.save)", "only safetensors files are loaded")
    assert not marker.exists()
    torch.load(path, weights_only=False)
    assert marker.exists(), "the payload is live"


@pytest.mark.parametrize("metadata", [None, {}, {"format": "pt"}])
def test_safetensors_of_someone_else(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    path = tmp_path / "theirs.safetensors"
    save_file({"weight": torch.ones(2)}, path, metadata)
    assert_refused(path, "not one that Lorgnette wrote")


def test_newer_format(file: Path) -> None:
    tensors, fields = contents(file)
    fields["format"] = checkpoint.FORMAT + 1
    save_file(tensors, file, {"lorgnette": json.dumps(fields)})
    assert_refused(file, f"format {checkpoint.FORMAT + 1} is newer", "upgrade")
