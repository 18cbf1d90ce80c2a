"""The tables of a model card, each a list of Markdown lines that begins with an empty one."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from vae.directions import Direction

FIGURES = {
    "psnr_db": ("PSNR of reconstructions", "{:.2f} dB"),
    "ssim": ("SSIM", "{:.4f}"),
    "ms_ssim": ("MS-SSIM", "{:.4f}"),
    "distortion_nats": ("Distortion", "{:.0f} nats"),
    "rate_nats": ("Rate", "{:.1f} nats"),
    "elbo_nats": ("ELBO", "{:.0f} nats"),
    "active_units": ("Active units", "{}"),
}
COUNTERFACTUAL_COLUMNS = {
    "edit": "Edit",
    "no_edit": "No edit",
    "reconstruction_bound": "Reconstruction bound",
    "preserved_edit": "Edit, `preserve` 1",
    "preserved_no_edit": "No edit, `preserve` 1",
    "closer_to_target": "Closer to the target",
}
EDIT_COLUMNS = {
    "put_on": "Put on",
    "taken_off": "Taken off",
    "sex_changed": "Sex changed",
    "put_on_preserved": "Put on, `preserve` 1",
    "taken_off_preserved": "Taken off, `preserve` 1",
}
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


def provenance(facts: Mapping[str, Any]) -> list[str]:
    """Data, command, seed, code and libraries."""
    rows = [[name, _cell(value)] for name, value in facts.items()]
    return ["", "## Where it comes from", *_table(["", ""], rows)]


def figures(metrics: Mapping[str, Any]) -> list[str]:
    """The figures of reconstructions."""
    rows = [
        [title, form.format(metrics[key])]
        for key, (title, form) in FIGURES.items()
        if key in metrics
    ]
    title = f"## Figures on {metrics.get('images', 0)} test images"
    return ["", title, *_table(["", ""], rows)]


def frechet(distances: Mapping[str, float]) -> list[str]:
    """Fréchet distances of reconstructions, and of samples by prior."""
    return [
        "",
        "## Fréchet distances",
        "",
        "In the features of EfficientNet-Lite0 (ImageNet weights), so not an FID: of "
        "reconstructions to their originals, and of samples of each prior to train images. Of "
        "`gaussian` and `mixture` the closer one is the `fitted` prior.",
        *_table(list(distances), [[f"{value:.2f}" for value in distances.values()]]),
    ]


def counterfactuals(edits: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Edits of drawn portraits, compared with the portrait that is drawn with the edit."""
    rows = [
        [name, *(f"{scores[k]:.2f}" for k in COUNTERFACTUAL_COLUMNS)]
        for name, scores in edits.items()
    ]
    return [
        "",
        "## Edits compared with their correct result",
        "",
        "Mean PSNR in dB to the image that is drawn with the edit. *No edit* leaves the latent as "
        "it was; *reconstruction bound* is the reconstruction of the correct result. With "
        "`preserve` 1 the change is added to the original pixels, and *no edit* is the original. "
        "*Closer to the target* is the fraction of edits that are closer to the correct result "
        "than to the original image.",
        *_table(["edit", *COUNTERFACTUAL_COLUMNS.values()], rows),
    ]


def edit_evaluation(evaluation: Mapping[str, Any]) -> list[str]:
    """What classifiers predict of reconstructions, edits and sums of photographs."""
    edits = [
        [
            method,
            weight,
            *(f"{scores[k]:.1%}" for k in EDIT_COLUMNS),
            f"{scores['outside_eyes_psnr_db']:.1f} dB",
        ]
        for method, by_weight in evaluation["edits"].items()
        for weight, scores in by_weight.items()
    ]
    sums = [
        [name, f"{correct['glasses']:.1%}", f"{correct['sex']:.1%}"]
        for name, correct in evaluation["sums"].items()
    ]
    header = ["direction", "weight", *EDIT_COLUMNS.values(), "Outside the eyes"]
    return [
        "",
        "## Edits evaluated by classifiers",
        "",
        "Classifiers of glasses and sex predict what reconstructions and edits show. Of the "
        f"reconstructions of faces with glasses, {evaluation['recall']:.1%} have glasses (recall); "
        f"of those without, {evaluation['false_positive_rate']:.1%} (false positives). Along paths "
        f"the largest step is {evaluation['smoothness']:.2f} times the mean step. *Put on* is the "
        "fraction of faces without glasses that have them after `+ glasses`, *taken off* that of "
        "faces with glasses that have none after `- glasses`. *Sex changed* counts faces whose sex "
        "was confidently predicted. *Outside the eyes* is the PSNR of the edit to the "
        f"reconstruction there.{_classifier(evaluation)}",
        *_table(header, edits),
        "",
        "Sums of the mean latents of three faces each, and the fraction of 200 whose result is "
        "correct:",
        *_table(["sum", "glasses", "sex"], sums),
    ]


def _classifier(evaluation: Mapping[str, Any]) -> str:
    """Which classifier it was, where that is known, and its accuracy."""
    if "classifier" not in evaluation:
        return ""
    classifier = evaluation["classifier"]
    accuracy = ", ".join(f"{name} {value:.1%}" for name, value in classifier["accuracy"].items())
    return (
        f" The classifier is `{classifier['sha256'][:12]}`; its accuracy on test images: "
        f"{accuracy}."
    )


def comparison(metrics: Mapping[str, Any], baselines: Mapping[str, Any]) -> list[str]:
    """The model beside other checkpoints and principal components."""
    models: list[tuple[str, Mapping[str, Any]]] = [("this model", metrics)]
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
        *_table(["", *COMPARISON_COLUMNS], [[name, *_compared(values)] for name, values in models]),
        *_other_classifiers(models),
    ]


def _other_classifiers(models: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Which models were evaluated by another classifier than the first one was."""
    classifiers = {
        name: values["edit_evaluation"].get("classifier")
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


def directions(named: Mapping[str, Direction]) -> list[str]:
    """The directions of a checkpoint."""
    rows = [
        [f"`{name}`", d.meaning, f"{float(d.vector.norm()):.2f}", f"{d.method}, {d.count} images"]
        for name, d in named.items()
    ]
    return ["", "## Directions", *_table(["name", "meaning", "length", "made by"], rows)]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return ["", *("| " + " | ".join(line) + " |" for line in lines)]


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(
            f"{k} ({_cell(v)})" if isinstance(v, dict) else f"{k} {_cell(v)}"
            for k, v in value.items()
        )
    return str(value).replace("|", "\\|")
