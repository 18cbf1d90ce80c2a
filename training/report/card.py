"""The model card, written from the facts that the checkpoint carries."""

import json
from collections.abc import Iterable, Sequence
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
JUDGED_COLUMNS = {
    "put on": "Put on",
    "taken off": "Taken off",
    "sex changed": "Sex changed",
    "put on, preserved": "Put on, `preserve` 1",
    "taken off, preserved": "Taken off, `preserve` 1",
}
COMPARED = "1.5"  # the weight of the edits beside each other
COMPARISON = {
    "dimensions": ("latent_dim", "{}"),
    "PSNR, dB": ("psnr_db", "{:.2f}"),
    "SSIM": ("ssim", "{:.3f}"),
    "MS-SSIM": ("ms_ssim", "{:.3f}"),
    "rate, nats": ("rate_nats", "{:.0f}"),
    "Fréchet, reconstructions": ("reconstructions", "{:.0f}"),
    "Fréchet, samples": ("samples", "{:.0f}"),
    "glasses kept": ("kept", "{:.1%}"),
    "gained": ("gained", "{:.1%}"),
    "put on": ("put on", "{:.1%}"),
    "taken off": ("taken off", "{:.1%}"),
    "sex changed": ("sex changed", "{:.1%}"),
}
CAPTIONS = {
    "reconstructions.png": "Test pictures (odd rows) and their reconstructions (even rows).",
    "samples.png": "Samples of the fitted prior, seeds 0 to 23.",
    "samples_by_epoch.png": "Samples during the training, the first epoch on top.",
    "interpolation.png": "Paths between test pictures.",
    "arithmetic.png": "Means of three with, three without, three others, and their sum.",
    "directions.png": "A direction added to three without its label, and taken from three with it.",
    "sums.png": "The tutorial's sums: means of three people each, and what comes out.",
    "edited_samples.png": "Samples, and the same with a direction added.",
    "traversals.png": "The principal axes of the encoded training set.",
    "scatter.png": "Encoded test pictures by class.",
    "scatter_cdf.png": "The same through the normal CDF.",
    "plane.png": "The decoded plane, at equal steps of the normal CDF.",
}


def add_baselines(file: Path, figures: dict[str, Any]) -> dict[str, Any]:
    """Add figures to a ``baselines.json``, by the name of what they were measured of.

    Returns:
        all that the file now holds; empty, and no file is made, if there are none.
    """
    known: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
    if figures:
        known |= figures
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(known, indent=2) + "\n")
    return known


def write(checkpoint: Checkpoint, folder: Path, beside: dict[str, Any] | None = None) -> None:
    """Write ``README.md`` beside a checkpoint.

    It shows the pictures in ``report``, and if there is a ``baselines.json`` its figures too.

    Args:
        checkpoint: with its figures.
        folder: of the checkpoint.
        beside: figures of other checkpoints by name, to add to ``baselines.json`` first.
    """
    baselines = add_baselines(folder / "baselines.json", beside or {})
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
        f"## Figures on {checkpoint.metrics.get('pictures', 0)} test pictures",
        "",
        "| | |",
        "|---|---|",
    ]
    for key, (title, form) in FIGURES.items():
        if key in checkpoint.metrics:
            lines.append(f"| {title} | {form.format(checkpoint.metrics[key])} |")
    if distances := checkpoint.metrics.get("frechet"):
        lines += _frechet(distances)
    if edits := checkpoint.metrics.get("edits"):
        lines += _edits(edits)
    if judged := checkpoint.metrics.get("judged"):
        lines += _judged(judged)
    if baselines:
        lines += _baselines(checkpoint, baselines)
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
    for name, caption in CAPTIONS.items():
        if (folder / "report" / name).is_file():
            lines += [caption, "", f"![{name.removesuffix('.png')}](report/{name})", ""]
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


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return ["", *("| " + " | ".join(line) + " |" for line in lines)]


def _frechet(distances: dict[str, float]) -> list[str]:
    return [
        "",
        "## Fréchet distances",
        "",
        "In the features of EfficientNet-Lite0 (ImageNet weights), so not an FID: of "
        "reconstructions to their originals, and of samples of each prior to train pictures. Of "
        "`gaussian` and `mixture` the nearer one is the `fitted` prior.",
        *_table(list(distances), [[f"{value:.2f}" for value in distances.values()]]),
    ]


def _judged(judged: dict[str, Any]) -> list[str]:
    rows = [
        [
            method,
            weight,
            *(f"{scores[k]:.1%}" for k in JUDGED_COLUMNS),
            f"{scores['outside_eyes_psnr_db']:.1f} dB",
        ]
        for method, by_weight in judged["edits"].items()
        for weight, scores in by_weight.items()
    ]
    header = ["direction", "weight", *JUDGED_COLUMNS.values(), "Outside the eyes"]
    sums = [
        [name, f"{found['glasses']:.1%}", f"{found['sex']:.1%}"]
        for name, found in judged["sums"].items()
    ]
    return [
        "",
        "## Edits as probes judge them",
        "",
        f"Of the reconstructions of faces with glasses, {judged['kept']:.1%} wear some; of those "
        f"without, {judged['gained']:.1%}. Along paths the largest step is "
        f"{judged['smoothness']:.2f} times the mean step. *Put on* is the share of plain faces "
        "that wear glasses after `+ glasses`, *taken off* that of the others that wear none after "
        "`- glasses`, *sex changed* counts faces of whose sex the probe was sure, and *outside the "
        f"eyes* is the PSNR of the edit to the plain reconstruction there.{_judge(judged)}",
        *_table(header, rows),
        "",
        "Sums of the mean codes of three people each, and how many of 200 come out as meant:",
        *_table(["sum", "glasses", "sex"], sums),
    ]


def _judge(judged: dict[str, Any]) -> str:
    """Which probes they were, where that is known, and how often they are right."""
    if "judge" not in judged:
        return ""
    right = ", ".join(f"{name} {share:.1%}" for name, share in judged["judge"]["accuracy"].items())
    return f" The probes are `{judged['judge']['sha256'][:12]}`, right on test pictures: {right}."


def _baselines(checkpoint: Checkpoint, baselines: dict[str, Any]) -> list[str]:
    models = [("this model", checkpoint.metrics)]
    for name, metrics in baselines.items():
        if name != "pca":
            models.append((f"`{name}`, as published" if name == "book" else f"`{name}`", metrics))
    for count, value in baselines.get("pca", {}).items():
        name = "principal components" if count != "0" else "the mean picture"
        models.append((name, {"latent_dim": count, "psnr_db": value}))
    return [
        "",
        "## Beside what one would otherwise have",
        "",
        "Fitted to the same train pictures, measured on the same test pictures. *Put on*, *taken "
        f"off* and *sex changed* are those of `glasses`, by regression, at weight {COMPARED}.",
        *_table(["", *COMPARISON], [[name, *_compared(metrics)] for name, metrics in models]),
        *_judged_otherwise(models),
    ]


def _judged_otherwise(models: Sequence[tuple[str, dict[str, Any]]]) -> list[str]:
    """Whose edits other probes have judged than those of the first."""
    judges = {
        name: metrics["judged"].get("judge") for name, metrics in models if "judged" in metrics
    }
    others = [name for name, judge in judges.items() if judge != judges.get(models[0][0])]
    if not others:
        return []
    return [
        "",
        f"The judged figures of {', '.join(others)} are of other probes than this model's, and "
        "probes differ, most of all about sex.",
    ]


def _compared(metrics: dict[str, Any]) -> list[str]:
    """The cells of ``COMPARISON``, empty where a figure was not measured."""
    distances = dict(metrics.get("frechet", {}))
    distances["samples"] = min(
        (v for k, v in distances.items() if k != "reconstructions"), default=None
    )
    judged = metrics.get("judged", {})
    edits = judged.get("edits", {}).get("regression", {}).get(COMPARED, {})
    figures = metrics | distances | judged | edits
    return [
        form.format(figures[key]) if figures.get(key) is not None else ""
        for key, form in COMPARISON.values()
    ]


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(
            f"{k} ({_cell(v)})" if isinstance(v, dict) else f"{k} {_cell(v)}"
            for k, v in value.items()
        )
    return str(value).replace("|", "\\|")
