import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from app.operations.expression import Term, parse
from tests.training.conftest import Command
from tests.training.sources import plain, table
from tests.vae.checkpoints import some_checkpoint
from training.analysis.encoding import encoded_means
from training.data.decoding import prepare
from vae.checkpoint import load, save
from vae.config import VAEConfig
from vae.prior import GaussianMixture

SIDE, DIM, COUNT = 32, 3, 60
HEADER = ["file", "split", "Eye Glasses", "5_o_Clock_Shadow", "male ", "rare"]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    config = VAEConfig(size=SIDE, latent_dim=DIM, widths=(8, 16))
    mixture = GaussianMixture(torch.tensor([1.0]), torch.randn(1, DIM), torch.eye(DIM)[None])
    template = tuple((float(i), float(i)) for i in range(5))
    described = some_checkpoint(config=config)
    folder = tmp_path / "model"
    folder.mkdir()
    save(
        replace(described, mixture=mixture, alignment_template=template),
        folder / "model.safetensors",
        torch.float16,
    )
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Images whose brightness says whether there are glasses; the last row is of the test split."""
    folder = tmp_path / "data"
    folder.mkdir()
    rows = []
    for i in range(COUNT + 1):
        glasses, shadow, male = i % 2, i // 2 % 2, i // 4 % 2
        plain(40 + 120 * glasses + 30 * shadow + 10 * male, SIDE).save(folder / f"{i}.png")
        split = "train" if i < COUNT else "test"
        rare = i % 3 if i < 5 else ""
        rows.append((f"{i}.png", split, 2 * glasses - 1, shadow, male, rare))
    (folder / "manifest.csv").write_text(table(rows, HEADER))
    return folder


def metadata(file: Path) -> dict[str, object]:
    with safe_open(file, framework="pt") as reader:
        found = json.loads(reader.metadata()["lorgnette"])
    assert isinstance(found, dict)
    return found


def test_directions_are_made_anew_and_nothing_else_changes(
    command: Command, model: Path, data: Path, tmp_path: Path
) -> None:
    file, run = model / "model.safetensors", tmp_path / "run"
    before, tensors, facts = load(file), load_file(file), metadata(file)
    words = ["--model", model, "--data", data, "--run", run, "--device", "cpu"]
    result = command("directions", *words)
    assert result.exit_code == 0, result.output
    assert "Eye_Glasses: length" in result.output
    assert "No longer there: age, glasses" in result.output
    after, stored = load(file), load_file(file)
    kept = {name for name in tensors if "direction." not in name and "within_" not in name}
    assert len(kept) > 10
    assert {"latent.mean", "prior.means"} < kept
    assert kept == {name for name in stored if "direction." not in name and "within_" not in name}
    for name in kept:
        assert stored[name].dtype == tensors[name].dtype
        assert torch.equal(stored[name], tensors[name])
    del facts["directions"]
    assert {k: v for k, v in metadata(file).items() if k != "directions"} == facts
    assert after.sha256 != before.sha256
    assert list(after.directions) == ["Eye_Glasses", "label_5_o_Clock_Shadow", "male"]
    for name, direction in after.directions.items():
        assert parse(f"me + {name}") == [Term(1.0, "me"), Term(1.0, name)]
        assert direction.count == COUNT  # and not the rows where "rare" is known
    assert after.directions["Eye_Glasses"].meaning == "Eye Glasses: from without to with"
    train, _ = prepare(data, "auto", SIDE, 3, run)
    means = encoded_means(after.model, train)
    glasses = torch.from_numpy(train.labels["Eye Glasses"]) > 0
    step = after.directions["Eye_Glasses"].vector
    expected = means[glasses].mean(0) - means[~glasses].mean(0)
    torch.testing.assert_close(step, expected, atol=1e-3, rtol=1e-2)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "it has no labels"),
        (["glasses"], "no label gives a direction"),
    ],
)
def test_data_without_directions_leave_the_checkpoint_as_it_was(
    command: Command, model: Path, tmp_path: Path, labels: list[str], message: str
) -> None:
    folder = tmp_path / "unlabelled"
    folder.mkdir()
    Image.new("RGB", (SIDE, SIDE), "tan").save(folder / "0.png")
    header = ["file", "split", *labels]
    (folder / "manifest.csv").write_text(table([("0.png", "train", *(1 for _ in labels))], header))
    before = (model / "model.safetensors").read_bytes()
    words = ["--model", model, "--data", folder, "--run", tmp_path / "run", "--device", "cpu"]
    result = command("directions", *words)
    assert result.exit_code == 1
    assert message in result.output
    assert (model / "model.safetensors").read_bytes() == before
