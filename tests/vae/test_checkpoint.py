import hashlib
import json
import pickle
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from vae import checkpoint, networks, tensor_file
from vae.checkpoint import Checkpoint, CheckpointError, load, save, stored_dtype
from vae.directions import Direction, WithinLabelSubspace
from vae.latent import seeded_noise
from vae.model import VAE, VAEConfig
from vae.prior import LatentStatistics

DIM = 3
CONFIG = VAEConfig(family="mlp", channels=1, size=4, latent_dim=DIM, hidden=5)


def some_checkpoint(seed: int = 0, config: VAEConfig = CONFIG) -> Checkpoint:
    torch.manual_seed(seed)
    vectors = seeded_noise([1, 2], DIM)  # two views of one memory, as a regression returns
    return Checkpoint(
        model=VAE(config).train(),
        statistics=LatentStatistics(torch.randn(DIM), torch.diag(torch.rand(DIM) + 0.1)),
        directions={
            "glasses": Direction(
                vectors[0],
                "glasses: from without to with",
                "regression",
                12,
                WithinLabelSubspace(seeded_noise([3, 4], DIM), torch.tensor([0.5, -1.0])),
            ),
            "age": Direction(vectors[1], "age: up by 10", "regression", 12),
        },
        sigma=0.125,
        labels=["glasses", "age"],
        metrics={"images": 7, "edits": {"glasses": 0.5}},
        provenance={"data": "avatars", "libraries": {"torch": "2"}},
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save(some_checkpoint(), path)
    return path


def assert_same_contents(found: Checkpoint, expected: Checkpoint) -> None:
    assert found.model.config == expected.model.config
    assert torch.equal(found.statistics.mean, expected.statistics.mean)
    assert torch.equal(found.statistics.covariance, expected.statistics.covariance)
    assert list(found.directions) == list(expected.directions)
    for name, direction in expected.directions.items():
        assert torch.equal(found.directions[name].vector, direction.vector)
        again = replace(
            found.directions[name], vector=direction.vector, within_label=direction.within_label
        )
        assert again == direction
        ours, theirs = direction.within_label, found.directions[name].within_label
        assert (ours is None) == (theirs is None)
        if ours is not None and theirs is not None:
            assert torch.equal(ours.rows, theirs.rows)
            assert torch.equal(ours.centre, theirs.centre)
    assert found.sigma == expected.sigma
    assert found.labels == expected.labels
    assert found.metrics == expected.metrics
    assert found.provenance == expected.provenance


def assert_refused(path: Path, *words: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    for word in words:
        assert word in message


def contents(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    with safe_open(path, framework="pt") as reader:
        return load_file(path), json.loads(reader.metadata()["lorgnette"])


# --- what is saved is loaded ---------------------------------------------------------------------


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


def test_a_loaded_model_computes_as_the_saved_one(file: Path) -> None:
    model, found = some_checkpoint().model.eval(), load(file).model
    z = seeded_noise([1, 2], DIM)
    assert torch.equal(found.decode(z), model.decode(z))
    x = model.decode(z)
    assert torch.equal(found.encode(x).mean, model.encode(x).mean)
    assert torch.equal(found.encode(x).logvar, model.encode(x).logvar)


def test_saving_what_was_loaded_gives_the_same_file(file: Path, tmp_path: Path) -> None:
    first = load(file)
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
        ("avatars", "4b6d733b8403", {"glasses": 4, "beard": 4, "long_hair": 7, "smile": 1}),
        ("faces", "87ac514976eb", {"glasses": 4, "male": 1}),
    ],
)
def test_bundled_checkpoints_of_format_1_keep_their_hash_and_all_their_parts(
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


# --- what is not a checkpoint ---------------------------------------------------------------------


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert_refused(tmp_path / "absent.safetensors", "no such checkpoint")
    assert_refused(tmp_path, "no such checkpoint")


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


# --- what is damaged ------------------------------------------------------------------------------


WEIGHT = "model.decoder.0.weight"
each_tensor = pytest.mark.parametrize(
    "name", [WEIGHT, "latent.mean", "latent.covariance", "direction.glasses"]
)


@each_tensor
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda t: t.new_zeros(2, 2), "is (2, 2), its config says ("),
        (lambda t: t[..., None], "its config says ("),
        (lambda t: t.mul(torch.nan), "holds NaN or infinity"),
        (lambda t: t.add(torch.inf), "holds NaN or infinity"),
        (lambda t: t.double().add(1e300), "holds NaN or infinity"),
        (lambda t: t.int(), "is torch.int32, its config says torch.float32"),
    ],
    ids=["shape", "rank", "nan", "infinity", "overflow", "integers"],
)
def test_damaged_tensor_is_named(
    file: Path, name: str, damage: Callable[[Tensor], Tensor], message: str
) -> None:
    tensors, fields = contents(file)
    tensors[name] = damage(tensors[name])
    save_file(tensors, file, {"lorgnette": json.dumps(fields)})
    assert_refused(file, f"{name} {message}" if message[0] == "h" else name, message)


@each_tensor
def test_missing_tensor_is_named(file: Path, name: str) -> None:
    tensors, fields = contents(file)
    del tensors[name]
    save_file(tensors, file, {"lorgnette": json.dumps(fields)})
    assert_refused(file, f"{name} is missing")


def test_one_nan_among_the_weights_is_enough(file: Path) -> None:
    tensors, fields = contents(file)
    tensors[WEIGHT].view(-1)[-1] = torch.nan
    save_file(tensors, file, {"lorgnette": json.dumps(fields)})
    assert_refused(file, f"{WEIGHT} holds NaN or infinity")


def test_surplus_weights_are_named(file: Path) -> None:
    tensors, fields = contents(file)
    tensors["model.decoder.9.weight"] = torch.ones(2)
    save_file(tensors, file, {"lorgnette": json.dumps(fields)})
    assert_refused(file, "weights that its config does not have: decoder.9.weight")


def test_weights_of_another_config(file: Path) -> None:
    tensors, fields = contents(file)
    fields["config"]["hidden"] = 6
    save_file(tensors, file, {"lorgnette": json.dumps(fields)})
    assert_refused(file, "model.encoder.1.weight is (5, 16), its config says (6, 16)")


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "[]", "{}", '"text"', "[" * 100_000],
    ids=["empty", "cut off", "null", "list", "object", "text", "deep"],
)
def test_metadata_that_is_not_an_object_with_fields(file: Path, text: str) -> None:
    save_file(contents(file)[0], file, {"lorgnette": text})
    assert_refused(file, "its metadata is damaged")


@pytest.mark.parametrize(
    "field",
    ["format", "config", "directions", "sigma", "labels", "metrics", "provenance"],
)
def test_metadata_without_a_field_names_it(file: Path, field: str) -> None:
    tensors, fields = contents(file)
    del fields[field]
    save_file(tensors, file, {"lorgnette": json.dumps(fields)})
    assert_refused(file, "its metadata is damaged", field)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "1"}, ""),
        ({"config": None}, ""),
        ({"config": {"family": "gan"}}, "family is 'gan'"),
        ({"config": {"size": 33}}, "size is 33"),
        ({"config": {"depth": 3}}, "unknown fields ['depth']"),
        ({"config": {"widths": 3}}, ""),
        ({"config": {"latent_dim": 10**18}}, ""),
        ({"directions": ["glasses"]}, ""),
        ({"directions": {"glasses": {"meaning": "no count", "method": ""}}}, "count"),
        ({"directions": {"glasses": None}}, ""),
    ],
    ids=str,
)
def test_metadata_of_the_wrong_type(file: Path, changes: dict[str, Any], message: str) -> None:
    tensors, fields = contents(file)
    save_file(tensors, file, {"lorgnette": json.dumps(fields | changes)})
    assert_refused(file, "its metadata is damaged", message)


def test_a_flipped_byte_in_the_header_is_refused_or_harmless(file: Path) -> None:
    """Whatever happens to a file, ``load`` returns a checkpoint or raises its own error."""
    content = file.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    rng = random.Random(0)
    refused = 0
    for _ in range(200):
        damaged = bytearray(content)
        damaged[rng.randrange(end)] = rng.randrange(256)
        file.write_bytes(damaged)
        try:
            load(file)
        except CheckpointError as error:
            assert str(error).startswith(f"{file}: ")  # noqa: PT017
            refused += 1
    assert refused > 100


# --- a crash while saving -------------------------------------------------------------------------


@pytest.mark.parametrize("crash", [OSError("no space left on device"), KeyboardInterrupt()])
def test_a_crash_while_saving_leaves_the_old_file(
    file: Path, monkeypatch: pytest.MonkeyPatch, crash: BaseException
) -> None:
    before = file.read_bytes()

    def write_half(tensors: dict[str, Tensor], target: Path, metadata: dict[str, str]) -> None:
        save_file(tensors, target, metadata)
        target.write_bytes(target.read_bytes()[:500])
        assert target.parent == file.parent, "a rename is atomic within one file system only"
        assert file.read_bytes() == before, "a kill at this moment would lose the old file"
        raise crash

    monkeypatch.setattr(tensor_file, "save_file", write_half)
    with pytest.raises(type(crash)):
        save(some_checkpoint(seed=1), file)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_the_first_save_leaves_nothing_when_it_crashes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_half(tensors: dict[str, Tensor], target: Path, metadata: dict[str, str]) -> None:
        target.write_bytes(b"half")
        raise OSError

    monkeypatch.setattr(tensor_file, "save_file", write_half)
    with pytest.raises(OSError):  # noqa: PT011
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
