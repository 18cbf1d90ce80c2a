"""The model card, written from the facts that the checkpoint carries."""

from pathlib import Path
from typing import Any

from vae.checkpoint import Checkpoint

FIGURES = {
    "psnr_db": ("PSNR of reconstructions", "{:.2f} dB"),
    "ssim": ("SSIM", "{:.4f}"),
    "ms_ssim": ("MS-SSIM", "{:.4f}"),
    "distortion_nats": ("Distortion", "{:.0f} nats"),
    "rate_nats": ("Rate", "{:.1f} nats"),
    "elbo_nats": ("ELBO", "{:.0f} nats"),
    "active_units": ("Active units", "{}"),
}
EDIT_COLUMNS = {
    "edit": "Edit",
    "nothing": "Nothing",
    "ceiling": "Ceiling",
    "preserved_edit": "Edit, `preserve` 1",
    "preserved_nothing": "Nothing, `preserve` 1",
    "nearer": "Nearer to the truth",
}
CAPTIONS = {
    "reconstructions.png": "Test pictures (top) and their reconstructions (bottom).",
    "samples.png": "Samples of the fitted prior, seeds 0 to 23.",
    "samples_by_epoch.png": "Samples during the training, the first epoch on top.",
    "interpolation.png": "Paths between test pictures.",
    "arithmetic.png": "Means of three with, three without, three others, and their sum.",
    "directions.png": "A direction added to three without its label, and taken from three with it.",
    "traversals.png": "The principal axes of the encoded training set.",
    "scatter.png": "Encoded test pictures by class.",
    "scatter_cdf.png": "The same through the normal CDF.",
    "plane.png": "The decoded plane, at equal steps of the normal CDF.",
}


def write(checkpoint: Checkpoint, pictures: list[str], folder: Path) -> None:
    """Write ``README.md`` beside a checkpoint."""
    facts = checkpoint.provenance
    config = checkpoint.model.config
    parameters = sum(p.numel() for p in checkpoint.model.parameters())
    lines = [
        f"# {folder.resolve().name}",
        "",
        f"A `{config.family}` variational autoencoder for {config.channels} x {config.size} x "
        f"{config.size} pictures with {config.latent_dim} latent dimensions and {parameters:,} "
        "parameters, trained by Lorgnette.",
        "",
        "## Where it came from",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {_cell(value)} |" for name, value in facts.items()),
        "",
        f"## Figures on {checkpoint.metrics['pictures']} test pictures",
        "",
        "| | |",
        "|---|---|",
    ]
    for key, (title, form) in FIGURES.items():
        if key in checkpoint.metrics:
            lines.append(f"| {title} | {form.format(checkpoint.metrics[key])} |")
    if edits := checkpoint.metrics.get("edits"):
        lines += _edits(edits)
    if checkpoint.directions:
        lines += [
            "",
            "## Directions",
            "",
            "| name | meaning | length | made by |",
            "|---|---|---|---|",
        ]
        for name, d in checkpoint.directions.items():
            length = float(d.vector.norm())
            lines.append(
                f"| `{name}` | {d.meaning} | {length:.2f} | {d.method}, {d.count} pictures |"
            )
    lines += ["", "## Pictures", ""]
    for name in pictures:
        lines += [CAPTIONS[name], "", f"![{name.removesuffix('.png')}](report/{name})", ""]
    (folder / "README.md").write_text("\n".join(lines).rstrip() + "\n")


def _edits(edits: dict[str, dict[str, float]]) -> list[str]:
    lines = [
        "",
        "## Edits against their true answers",
        "",
        "Mean PSNR in dB against the picture drawn with the edit really made. *Nothing* leaves "
        "the latent as it was; *ceiling* is the reconstruction of the true answer. With "
        "`preserve` 1 the change is added to the original pixels, and *nothing* is the original. "
        "*Nearer to the truth* is the share of edits nearer to the true answer than to the "
        "original picture.",
        "",
        "| edit | " + " | ".join(EDIT_COLUMNS.values()) + " |",
        "|---|" + "---|" * len(EDIT_COLUMNS),
    ]
    for name, scores in edits.items():
        lines.append(f"| {name} | " + " | ".join(f"{scores[k]:.2f}" for k in EDIT_COLUMNS) + " |")
    return lines


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {v}" for k, v in value.items())
    return str(value).replace("|", "\\|")
