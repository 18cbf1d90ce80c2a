"""The table of a model card that compares the model with others and with baselines."""

from collections.abc import Mapping, Sequence
from typing import Any

from training.report.markdown import table

COMPARED_WEIGHT = "1.5"
COMPARISON_COLUMNS = {
    "dimensions": ("latent_dim", "{}"),
    "PSNR, dB": ("psnr_db", "{:.2f}"),
    "SSIM": ("ssim", "{:.3f}"),
    "MS-SSIM": ("ms_ssim", "{:.3f}"),
    "rate, nats": ("rate_nats", "{:.0f}"),
    "Fréchet, reconstructions": ("reconstructions", "{:.0f}"),
    "Fréchet, samples": ("samples", "{:.0f}"),
    "glasses recall": ("recall", "{:.1%}"),
    "false positives": ("false_positive_rate", "{:.1%}"),
    "put on": ("put_on", "{:.1%}"),
    "taken off": ("taken_off", "{:.1%}"),
    "sex changed": ("sex_changed", "{:.1%}"),
}


def comparison(
    by_detail: Mapping[str, Mapping[str, Any]], baselines: Mapping[str, Any]
) -> list[str]:
    """The model beside other checkpoints and principal components."""
    models: list[tuple[str, Mapping[str, Any]]] = [
        (f"this model, {name}" if name else "this model", metrics)
        for name, metrics in by_detail.items()
    ]
    for name, values in baselines.items():
        if name != "pca":
            title = f"`{name}`, as published" if name == "tutorial" else f"`{name}`"
            models.append((title, values))
    for count, value in baselines.get("pca", {}).items():
        name = "principal components" if count != "0" else "the mean image"
        models.append((name, {"latent_dim": count, "psnr_db": value}))
    return [
        "",
        "## Comparison with baselines",
        "",
        "Fitted to the same train images, measured on the same test images. *Put on*, *taken "
        f"off* and *sex changed* are those of `glasses`, by regression, at weight "
        f"{COMPARED_WEIGHT}.",
        *table(["", *COMPARISON_COLUMNS], [[name, *_compared(values)] for name, values in models]),
        *_other_classifiers(models),
    ]


def _other_classifiers(models: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Which models were evaluated by another classifier than the first one was."""
    classifiers = {
        name: values["edit_evaluation"].get("classifier", {}).get("sha256")
        for name, values in models
        if "edit_evaluation" in values
    }
    first = classifiers.get(models[0][0])
    others = [name for name, classifier in classifiers.items() if classifier != first]
    if not others:
        return []
    return [
        "",
        f"The edits of {', '.join(others)} were evaluated by another classifier than this model's; "
        "classifiers differ, most of all about sex.",
    ]


def _compared(metrics: Mapping[str, Any]) -> list[str]:
    """The cells of ``COMPARISON_COLUMNS``, empty where a figure was not measured."""
    distances = dict(metrics.get("frechet", {}))
    distances["samples"] = min(
        (v for k, v in distances.items() if k != "reconstructions"), default=None
    )
    evaluated = metrics.get("edit_evaluation", {})
    edits = evaluated.get("edits", {}).get("regression", {}).get(COMPARED_WEIGHT, {})
    values = {**metrics, **distances, **evaluated, **edits}
    return [
        form.format(values[key]) if values.get(key) is not None else ""
        for key, form in COMPARISON_COLUMNS.values()
    ]
