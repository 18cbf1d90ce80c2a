"""The model card: ``README.md`` beside a checkpoint, from what the checkpoint carries."""

from pathlib import Path
from typing import Any

from training.report import card_comparison, card_tables, edit_tables, page
from training.report.metrics import add_baselines, with_current_names
from vae import attribute_classifier
from vae.atomic_file import atomic_write
from vae.checkpoint import Checkpoint

CAPTIONS = {
    "losses.png": "What the training measured, by step; the bold curve is the moving mean.",
    "reconstructions.png": "Test images (odd rows) and their reconstructions (even rows).",
    "samples.png": "Samples of the fitted prior, seeds 0 to 23.",
    "samples_by_epoch.png": "Samples during the training, the first epoch on top.",
    "interpolation.png": "Paths between test images.",
    "arithmetic.png": "Means of three with, three without, three others, and their sum.",
    "directions.png": (
        "A direction added to three without its label, and subtracted from three with it."
    ),
    "sums.png": "The tutorial's sums: means of three faces each, and the result.",
    "edited_samples.png": "Samples, and the same with a direction added.",
    "traversals.png": "The principal axes of the encoded training set.",
    "scatter.png": "Encoded test images by class.",
    "scatter_cdf.png": "The same through the normal CDF.",
    "plane.png": "The decoded plane, at equal steps of the normal CDF.",
}


def write(checkpoint: Checkpoint, folder: Path, compare_with: dict[str, Any] | None = None) -> None:
    """Write ``README.md`` beside a checkpoint, and ``report/index.html`` with the same content.

    They show the images in ``report``, and the figures of ``baselines.json`` if there is one.

    Args:
        checkpoint: with its figures.
        folder: of the checkpoint.
        compare_with: figures of other checkpoints by name, to add to ``baselines.json`` first.
    """
    baselines = add_baselines(folder / "baselines.json", compare_with or {})
    metrics = with_current_names(checkpoint.metrics)
    by_detail = _by_detail(metrics)
    lines = [
        f"# {folder.resolve().name}",
        "",
        *_introduction(checkpoint),
        *card_tables.provenance(with_current_names(checkpoint.provenance)),
        *card_tables.figures(by_detail),
    ]
    if "frechet" in metrics:
        lines += card_tables.frechet(by_detail)
    if "realism" in metrics:
        lines += card_tables.realism(by_detail)
    lines += _edits(by_detail)
    if "score" in metrics:
        lines += card_tables.score(metrics["score"])
    if baselines:
        lines += card_comparison.comparison(by_detail, baselines)
    if checkpoint.directions:
        lines += card_tables.directions(checkpoint.directions)
    classifier = folder / attribute_classifier.FILE
    if classifier.exists():
        lines += card_tables.auxiliary_classifier(attribute_classifier.load(classifier))
    lines += ["", "## Images", ""]
    if checkpoint.model.config.detail_channels:
        lines += ["All at `detail` 1.", ""]
    page.write(folder / "report", folder.resolve().name, lines, CAPTIONS)
    lines += _images(folder)
    with atomic_write(folder / "README.md") as file:
        file.write(("\n".join(lines).rstrip() + "\n").encode())


def _by_detail(metrics: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The figures at each detail that was measured, by what the card calls it."""
    if "at_detail_1" not in metrics:
        return {"": metrics}
    return {"`detail` 0": metrics, "`detail` 1": metrics["at_detail_1"]}


def _edits(by_detail: dict[str, dict[str, Any]]) -> list[str]:
    """The tables of edits that were measured."""
    lines: list[str] = []
    for name, values in by_detail.items():
        at = f", {name}" if name else ""
        if edits := values.get("edits"):
            title = f"Edits compared with their correct result{at}"
            lines += card_tables.counterfactuals(edits, title)
        if evaluation := values.get("edit_evaluation"):
            title = f"Edits evaluated by classifiers{at}"
            lines += card_tables.edit_evaluation(evaluation, title)
        if carried := values.get("carried_edits"):
            lines += edit_tables.carried_edits(carried, f"Frames of others{at}")
        if preserved := values.get("preserved_edits"):
            lines += edit_tables.preserved_edits(preserved, f"Edited photographs{at}")
    return lines


def _introduction(checkpoint: Checkpoint) -> list[str]:
    config = checkpoint.model.config
    branch = (
        " Its detail branch draws a sharp image of the same latent: `detail` 0 is the image of "
        "least squared error, 1 the sharp one."
        if config.detail_channels
        else ""
    )
    parameters = sum(p.numel() for p in checkpoint.model.parameters())
    return [
        f"A `{config.family}` variational autoencoder for {config.channels} x {config.size} x "
        f"{config.size} images with {config.latent_dim} latent dimensions and {parameters:,} "
        f"parameters, trained by Lorgnette.{branch}",
    ]


def _images(folder: Path) -> list[str]:
    lines = []
    for name, caption in CAPTIONS.items():
        if (folder / "report" / name).is_file():
            lines += [caption, "", f"![{name.removesuffix('.png')}](report/{name})", ""]
    return lines
