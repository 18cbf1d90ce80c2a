"""The tables of a model card, each a list of Markdown lines that begins with an empty one."""

from collections.abc import Mapping
from typing import Any

from training.report.markdown import cell, table
from vae.attribute_classifier import FILE, AttributeClassifier
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
    "sex_changed_raw": "Sex changed, all faces",
    "sex_changed_beyond_reconstruction": "Sex changed, beyond the reconstruction",
    "sex_changed_worst_group": "Sex changed, worst group",
}
ByDetail = Mapping[str, Mapping[str, Any]]  # the figures, by what a column or row is called


def provenance(facts: Mapping[str, Any]) -> list[str]:
    """Data, command, seed, code and libraries."""
    rows = [[name, cell(value)] for name, value in facts.items()]
    return ["", "## Where it comes from", *table(["", ""], rows)]


def figures(by_detail: ByDetail) -> list[str]:
    """The figures of reconstructions."""
    rows = [
        [title, *(form.format(metrics[key]) for metrics in by_detail.values())]
        for key, (title, form) in FIGURES.items()
        if all(key in metrics for metrics in by_detail.values())
    ]
    count = next(iter(by_detail.values())).get("images", 0)
    return ["", f"## Figures on {count} test images", *table(["", *by_detail], rows)]


def frechet(by_detail: ByDetail) -> list[str]:
    """Fréchet distances of reconstructions, and of samples by prior."""
    distances = {name: metrics["frechet"] for name, metrics in by_detail.items()}
    priors = list(dict.fromkeys(k for d in distances.values() for k in d))
    rows = [
        [name, *(f"{d[k]:.2f}" if k in d else "" for k in priors)] for name, d in distances.items()
    ]
    return [
        "",
        "## Fréchet distances",
        "",
        "In the features of EfficientNet-Lite0 (ImageNet weights), so not an FID: of "
        "reconstructions to their originals, and of samples of each prior to train images. Of "
        "`gaussian` and `mixture` the closer one is the `fitted` prior.",
        *table(["", *priors], rows),
    ]


def realism(by_detail: ByDetail) -> list[str]:
    """Kernel distances and fine structure of reconstructions."""
    rows = []
    for name, metrics in by_detail.items():
        values = metrics["realism"]
        distances = [_with_error(values, key) for key in ("kid_faces", "kid_eyes")]
        rows.append([name, *distances, f"{values['high_pass_share']:.0%}"])
    return [
        "",
        "## Kernel distances and fine structure",
        "",
        "Kernel distances (KID) of reconstructions to their originals, in the same features, with "
        "their standard errors: of whole images, and of crops of the eyes. *Fine structure* is the "
        "energy of the differences to a blurred copy, as a fraction of the originals'.",
        *table(["", "KID", "KID of the eyes", "fine structure"], rows),
    ]


def counterfactuals(edits: Mapping[str, Mapping[str, float]], title: str) -> list[str]:
    """Edits of drawn portraits, compared with the portrait that is drawn with the edit."""
    rows = [
        [name, *(f"{scores[k]:.2f}" for k in COUNTERFACTUAL_COLUMNS)]
        for name, scores in edits.items()
    ]
    return [
        "",
        f"## {title}",
        "",
        "Mean PSNR in dB to the image that is drawn with the edit. *No edit* leaves the latent as "
        "it was; *reconstruction bound* is the reconstruction of the correct result. With "
        "`preserve` 1 the original keeps its other pixels, and *no edit* is the original. "
        "*Closer to the target* is the fraction of edits that are closer to the correct result "
        "than to the original image.",
        *table(["edit", *COUNTERFACTUAL_COLUMNS.values()], rows),
    ]


def edit_evaluation(evaluation: Mapping[str, Any], title: str) -> list[str]:
    """What classifiers predict of reconstructions, edits and sums of photographs."""
    columns = {
        key: title
        for key, title in EDIT_COLUMNS.items()
        if all(key in s for by_weight in evaluation["edits"].values() for s in by_weight.values())
    }
    edits = [
        [
            method,
            weight,
            *(f"{scores[key]:.1%}" for key in columns),
            f"{scores['outside_eyes_psnr_db']:.1f} dB",
        ]
        for method, by_weight in evaluation["edits"].items()
        for weight, scores in by_weight.items()
    ]
    sums = [
        [name, f"{correct['glasses']:.1%}", f"{correct['sex']:.1%}"]
        for name, correct in evaluation["sums"].items()
    ]
    header = ["direction", "weight", *columns.values(), "Outside the eyes"]
    return [
        "",
        f"## {title}",
        "",
        "Classifiers of glasses and sex predict what reconstructions and edits show. Of the "
        f"reconstructions of faces with glasses, {evaluation['recall']:.1%} have glasses (recall); "
        f"of those without, {evaluation['false_positive_rate']:.1%} (false positives). Along paths "
        f"the largest step is {evaluation['smoothness']:.2f} times the mean step. *Put on* is the "
        "fraction of faces without glasses that have them after `+ glasses`, *taken off* that of "
        "faces with glasses that have none after `- glasses`. *Sex changed* counts faces whose "
        "reconstruction's sex was confidently predicted, and changes from that; *all faces* "
        f"counts {_counted(evaluation)}, and changes from the original; *beyond the "
        "reconstruction* is that "
        f"less what reconstructions change{_by_reconstruction(evaluation)}; *worst group* is the "
        "largest of these differences among the four groups of sex and glasses. *Outside the eyes* "
        f"is the PSNR of the edit to the reconstruction there.{_classifier(evaluation)}",
        *_accuracy_by_group(evaluation),
        *table(header, edits),
        "",
        "Sums of the mean latents of three faces each, and the fraction of 200 whose result is "
        "correct:",
        *table(["sum", "glasses", "sex"], sums),
    ]


def _counted(evaluation: Mapping[str, Any]) -> str:
    """Which faces the changes of sex are counted of; earlier figures are of all."""
    if "accuracy_by_group" not in evaluation:
        return "all of them"
    return "all whose original the classifier is right about"


def _accuracy_by_group(evaluation: Mapping[str, Any]) -> list[str]:
    """How often the classifier is right about the originals, where that was measured."""
    groups = evaluation.get("accuracy_by_group", {})
    rows = [
        [group, *(f"{right[label]:.1%}" for label in ("glasses", "male"))]
        for group, right in groups.items()
    ]
    return table(["right about the originals", "glasses", "sex"], rows) if rows else []


def _by_reconstruction(evaluation: Mapping[str, Any]) -> str:
    """How many reconstructions are of another sex, where that was measured."""
    rate = evaluation.get("sex_changed_by_reconstruction")
    return "" if rate is None else f" ({rate:.1%})"


def _classifier(evaluation: Mapping[str, Any]) -> str:
    """Which classifier it was, where that is known, and its accuracy."""
    if "classifier" not in evaluation:
        return ""
    classifier = evaluation["classifier"]
    network = classifier.get("network", "efficientnet-lite0")
    accuracy = ", ".join(f"{name} {value:.1%}" for name, value in classifier["accuracy"].items())
    return (
        f" The classifier is `{classifier['sha256'][:12]}` ({network}); its accuracy on test "
        f"images: {accuracy}."
    )


def score(figures: Mapping[str, Any]) -> list[str]:
    """How the percentiles of ``/score`` were calibrated, and whether they are uniform."""
    text = (
        f"Quantiles of the evidence lower bound (ELBO) of {figures['train_images']} train images, "
        f"moved by {figures['gap_nats']:.0f} nats: the difference of the means of "
        f"{figures['test_images']} test images and of these. The percentiles of the test images, "
        "each half by what the other half calibrated, were compared with a uniform distribution: "
        f"Kolmogorov-Smirnov statistic {figures['kolmogorov_smirnov']:.3f}, "
        f"p = {figures['p']:.2f}."
    )
    return ["", "## Percentiles of `/score`", "", text]


def directions(named: Mapping[str, Direction]) -> list[str]:
    """The directions of a checkpoint."""
    rows = [
        [
            f"`{name}`",
            cell(d.meaning),
            f"{float(d.vector.norm()):.2f}",
            cell(f"{d.method}, {d.count} images"),
        ]
        for name, d in named.items()
    ]
    return ["", "## Directions", *table(["name", "meaning", "length", "made by"], rows)]


def auxiliary_classifier(classifier: AttributeClassifier) -> list[str]:
    """Where the classifier beside a checkpoint comes from, and how often it is right."""
    accuracy = [f"`{label}` {value:.1%}" for label, value in classifier.accuracy.items()]
    rows = [
        ["file", f"`{FILE}`"],
        ["sha256", classifier.sha256],
        ["made by", f"`training classifier --network {classifier.network}`"],
        ["accuracy on test images", ", ".join(accuracy)],
    ]
    text = "For `strength=auto`; no figure of this card was made with it."
    return ["", "## Auxiliary classifier", "", text, *table(["", ""], rows)]


def _with_error(values: Mapping[str, float], key: str) -> str:
    return f"{values[key]:.1f} ± {values[f'{key}_error']:.1f}" if key in values else ""
