from pathlib import Path

import torch

from tests.training.sources import dataset, noise
from training.report.publish import licence_of, publish
from vae.attribute_classifier import CONVNET_SIZE, AttributeClassifier, ConvNet
from vae.checkpoint import Checkpoint
from vae.config import VAEConfig
from vae.model import VAE
from vae.prior import LatentStatistics

DIM = 4
LABELS = {"glasses": [0, 1, 0, 1], "male": [0, 0, 1, 1]}


def test_a_licence_of_any_encoding_is_read(tmp_path: Path) -> None:
    assert licence_of(tmp_path) == "not stated"
    (tmp_path / "licence.txt").write_bytes("by Zoë,\n2020".encode("utf-8-sig"))
    assert licence_of(tmp_path) == "by Zoë, 2020"
    (tmp_path / "licence.txt").write_bytes("by Zoë".encode("cp1252"))
    assert licence_of(tmp_path) == r"by Zo\xeb"


def test_a_model_without_the_direction_is_published_without_its_edits(tmp_path: Path) -> None:
    model = VAE(VAEConfig(size=32, latent_dim=DIM, widths=(8, 16))).eval()
    described = Checkpoint(model, LatentStatistics(torch.zeros(DIM), torch.eye(DIM)))
    faces = dataset(noise(4), LABELS)
    backbone = ConvNet()
    labels = ("glasses", "male")
    classifier = AttributeClassifier(labels, "convnet", backbone, CONVNET_SIZE, backbone.width)
    folder = tmp_path / "model"
    written = publish(
        described, faces, faces, tmp_path / "epochs", folder, torch.float32, classifier
    )
    assert "psnr_db" in written.metrics
    assert "edit_evaluation" not in written.metrics
    assert (folder / "README.md").is_file()
