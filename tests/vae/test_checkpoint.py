import hashlib
import json
import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tests.vae.checkpoints import (
    DIM,
    WEIGHT,
    assert_refused,
    assert_same_contents,
    contents,
    some_checkpoint,
)
from vae import networks
from vae.checkpoint import Checkpoint, CheckpointError, load, save, stored_dtype
from vae.config import VAEConfig
from vae.latent import seeded_noise
from vae.prior import GaussianMixture

# --- what is saved is loaded ----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_everything_is_loaded_as_saved(tmp_path: Path, dtype: torch.dtype) -> None:
    path, written = tmp_path / "model.safetensors", some_checkpoint()
    save(written, path, dtype)
    found = load(path)
    assert_same_contents(found, written)
    assert not found.model.training
    weights = found.model.state_dict()
    assert list(weights) == list(written.model.state_dict())
    for name, weight in written.model.state_dict().items():
        assert weights[name].dtype == torch.float32
        assert torch.equal(weights[name], weight.to(dtype).float())
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert stored_dtype(path) == dtype


def test_a_path_is_a_file_or_its_folder_as_in_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    save(some_checkpoint(), file)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    for path in (file, str(file), tmp_path, str(tmp_path), f"{tmp_path}/"):
        assert load(path).sha256 == sha256
    with pytest.raises(CheckpointError, match=r"absent: no such checkpoint"):
        load(str(tmp_path / "absent"))


def test_a_loaded_model_computes_as_the_saved_one(file: Path) -> None:
    model, found = some_checkpoint().model.eval(), load(file).model
    z = seeded_noise([1, 2], DIM)
    assert torch.equal(found.decode(z), model.decode(z))
    x = model.decode(z)
    assert torch.equal(found.encode(x).mean, model.encode(x).mean)
    assert torch.equal(found.encode(x).logvar, model.encode(x).logvar)


def test_saving_what_was_loaded_gives_the_same_file(file: Path, tmp_path: Path) -> None:
    factors = torch.eye(DIM).repeat(2, 1, 1)
    mixture = GaussianMixture(torch.tensor([0.25, 0.75]), torch.randn(2, DIM), factors)
    save(replace(load(file), mixture=mixture), file)
    first = load(file)
    first.sample([1])  # after which an object may hold more than what it was made of
    save(first, tmp_path / "again.safetensors")
    assert load(tmp_path / "again.safetensors").sha256 == first.sha256


MODELS = Path(__file__).parents[2] / "models"


def test_a_file_of_format_1_is_read_with_its_old_names(file: Path) -> None:
    tensors, fields = contents(file)
    old = {
        f"kinds{name.removeprefix('within_label')}" if name.startswith("within_label") else name: t
        for name, t in tensors.items()
    }
    assert {"kinds.glasses", "kinds_centre.glasses"} < old.keys()
    save_file(old, file, {"lorgnette": json.dumps(fields | {"format": 1})})
    assert_same_contents(load(file), some_checkpoint())


@pytest.mark.parametrize(
    ("name", "sha256", "subspaces"),
    [
        ("avatars", "43b37bc95a45", {"glasses": 4, "beard": 4, "long_hair": 7, "smile": 1}),
        ("faces", "338017d497f3", {"glasses": 4, "male": 1}),  # of format 2
    ],
)
def test_bundled_checkpoints_keep_their_hash_and_all_their_parts(
    name: str, sha256: str, subspaces: dict[str, int], tmp_path: Path
) -> None:
    found = load(MODELS / name / "model.safetensors")
    assert found.sha256.startswith(sha256)
    assert subspaces == {
        name: len(d.within_label.rows)
        for name, d in found.directions.items()
        if d.within_label is not None
    }
    save(found, tmp_path / "again.safetensors")
    assert_same_contents(load(tmp_path / "again.safetensors"), found)
    tensors, fields = contents(tmp_path / "again.safetensors")
    assert fields["format"] == 2
    assert {"within_label.glasses", "within_label_centre.glasses"} < tensors.keys()
    assert not any(name.startswith("kinds") for name in tensors)


def test_batch_statistics_are_loaded_as_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def small_tutorial(latent: int) -> tuple[nn.Module, nn.Module]:
        head = nn.Linear(3, 2 * latent)
        encoder = nn.Sequential(nn.BatchNorm2d(3), nn.AvgPool2d(256), nn.Flatten(), head)
        return encoder, nn.Identity()

    monkeypatch.setattr(networks, "tutorial", small_tutorial)
    written = some_checkpoint(config=VAEConfig(family="tutorial", latent_dim=DIM))
    written.model.encode(torch.rand(2, 3, 256, 256))
    save(written, tmp_path / "tutorial.safetensors")
    found = load(tmp_path / "tutorial.safetensors").model.state_dict()
    for name, value in written.model.state_dict().items():
        assert torch.equal(found[name], value)
        assert found[name].dtype == value.dtype


def test_the_quantiles_of_the_bound_are_loaded_as_saved(tmp_path: Path) -> None:
    quantiles = torch.tensor([-3e5, -1.5, -1.5, 7.25])
    save(replace(some_checkpoint(), elbo_quantiles=quantiles), tmp_path / "scored.safetensors")
    found = load(tmp_path / "scored.safetensors").elbo_quantiles
    assert found is not None
    assert torch.equal(found, quantiles)


@pytest.mark.parametrize(
    ("quantiles", "words"),
    [
        (torch.tensor([1.0, 0.0]), "ascending"),
        (torch.tensor([1.0]), "two or more"),
        (torch.tensor([[0.0], [1.0]]), "(2, 1)"),
        (torch.tensor([0, 1]), "int64"),
        (torch.tensor([0.0, torch.nan]), "NaN"),
    ],
)
def test_damaged_quantiles_are_refused(file: Path, quantiles: torch.Tensor, words: str) -> None:
    tensors, fields = contents(file)
    save_file(tensors | {"elbo.quantiles": quantiles}, file, {"lorgnette": json.dumps(fields)})
    assert_refused(file, "elbo.quantiles", words)


def test_a_checkpoint_without_optional_parts_is_loaded_as_saved(tmp_path: Path) -> None:
    written = Checkpoint(some_checkpoint().model, some_checkpoint().statistics)
    save(written, tmp_path / "minimal.safetensors")
    assert_same_contents(load(tmp_path / "minimal.safetensors"), written)


def test_two_names_for_one_direction(tmp_path: Path) -> None:
    written = some_checkpoint()
    glasses = written.directions["glasses"]
    written = replace(written, directions={"glasses": glasses, "spectacles": glasses})
    save(written, tmp_path / "model.safetensors")
    assert_same_contents(load(tmp_path / "model.safetensors"), written)


def test_a_header_length_that_looks_like_a_pickle_is_loaded(tmp_path: Path) -> None:
    """The first bytes of safetensors are a length, and some lengths begin as pickles do."""
    path = tmp_path / "model.safetensors"
    save(replace(some_checkpoint(), provenance={"note": ""}), path)
    header = int.from_bytes(path.read_bytes()[:8], "little")
    note = "x" * (0x10280 - header)
    save(replace(some_checkpoint(), provenance={"note": note}), path)
    assert path.read_bytes()[:2] == pickle.dumps(None, protocol=2)[:2]
    assert load(path).provenance == {"note": note}


def test_a_checkpoint_is_as_readable_as_any_new_file(file: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    assert file.stat().st_mode == plain.stat().st_mode


# --- a crash while saving -------------------------------------------------------------------------


@pytest.mark.parametrize("crash", [OSError("no space left on device"), KeyboardInterrupt()])
def test_a_crash_while_saving_leaves_the_old_file(
    file: Path, monkeypatch: pytest.MonkeyPatch, crash: BaseException
) -> None:
    before = file.read_bytes()

    def crash_half_way(descriptor: int) -> None:
        [partial] = set(file.parent.iterdir()) - {file}  # a rename needs the same file system
        os.ftruncate(descriptor, 500)
        assert partial.stat().st_size == 500
        assert file.read_bytes() == before, "a kill at this moment would lose the old file"
        raise crash

    monkeypatch.setattr(os, "fsync", crash_half_way)
    with pytest.raises(type(crash)):
        save(some_checkpoint(seed=1), file)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_the_first_save_leaves_nothing_when_it_crashes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_: int) -> None:
        raise OSError

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(OSError, match=r"model\.safetensors"):
        save(some_checkpoint(), tmp_path / "model.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_weights_too_large_for_half_precision_are_not_written(file: Path) -> None:
    before = file.read_bytes()
    large = some_checkpoint()
    with torch.no_grad():
        next(large.model.parameters())[0, 0] = 70_000.0
    with pytest.raises(CheckpointError, match=r"not finite as torch\.float16"):
        save(large, file, torch.float16)
    assert file.read_bytes() == before


def test_a_save_replaces_the_old_file_and_leaves_nothing_else(file: Path) -> None:
    opened = load(file)
    weights = {k: v.clone() for k, v in opened.model.state_dict().items()}
    save(some_checkpoint(seed=1), file)
    assert list(file.parent.iterdir()) == [file]
    assert not torch.equal(load(file).model.state_dict()["decoder.0.weight"], weights[WEIGHT[6:]])
    for name, weight in opened.model.state_dict().items():
        assert torch.equal(weight, weights[name]), "a loaded model must not depend on its file"
