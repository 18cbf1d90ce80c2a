"""Figures of the explanations, from portraits that ``models/avatars`` was not trained on."""

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from docs.pictures.service import IMAGES, Service
from training.data.avatars import counterfactuals, png

SEED, FIRST_TEST_IDENTITY = 0, 8000  # as tests/examples/scripts.py
IDENTITIES = 60
GROUPS = (1, 2, 3, 5, 8, 12, 20, 30)  # sizes
DRAWS = 300  # of groups of one size
BARE, WORN = "#4477aa", "#cc6677"

Rows = npt.NDArray[np.float64]


def draw(service: Service) -> None:
    """Make them."""
    mpl.use("Agg")
    pairs = [counterfactuals(SEED, FIRST_TEST_IDENTITY + i)[:2] for i in range(IDENTITIES)]
    bare, worn = ([png(pair[i]) for pair in pairs] for i in (0, 1))
    (means, logvars), (worn_means, _) = (service.encode(part, "avatars") for part in (bare, worn))
    _posteriors(means, logvars)
    _direction(means, worn_means)
    _groups(means, worn_means)


def _posteriors(means: Rows, logvars: Rows) -> None:
    """Means and ellipses of two standard deviations on the plane of two latent dimensions."""
    signal = means.std(0)
    x, y = np.argsort(signal)[-2:]
    figure, axes = _axes(f"dimension {x}", f"dimension {y}")
    for mean, logvar in zip(means, logvars, strict=True):
        width, height = 4 * np.exp(0.5 * logvar[[x, y]])
        ellipse = Ellipse((mean[x], mean[y]), width, height, color=BARE, alpha=0.25, lw=0)
        axes.add_patch(ellipse)
    axes.plot(means[:, x], means[:, y], ".", ms=3, color="black")
    for radius in (1, 2):
        axes.add_patch(Ellipse((0, 0), 2 * radius, 2 * radius, fill=False, ls=":", color="grey"))
    axes.set_aspect("equal")
    figure.savefig(IMAGES / "posteriors.png", dpi=110)


def _direction(bare: Rows, worn: Rows) -> None:
    """The same people without and with glasses: along their mean step, and across it."""
    step = worn.mean(0) - bare.mean(0)
    unit = step / np.linalg.norm(step)
    across = np.concatenate([bare, worn]) - np.concatenate([bare, worn]).mean(0)
    across = across - np.outer(across @ unit, unit)
    other = np.linalg.svd(across, full_matrices=False)[2][0]
    figure, axes = _axes("along the mean step", "across it: largest principal axis of the rest")
    for a, b in zip(bare, worn, strict=True):
        axes.plot([a @ unit, b @ unit], [a @ other, b @ other], color="lightgrey", lw=0.7, zorder=0)
    for rows, colour, label in ((bare, BARE, "without glasses"), (worn, WORN, "with")):
        axes.plot(rows @ unit, rows @ other, "o", ms=4, color=colour, label=label)
    axes.legend(frameon=False)
    figure.savefig(IMAGES / "direction.png", dpi=110)


def _groups(bare: Rows, worn: Rows) -> None:
    """How close the step between small groups of different people is to the mean step."""
    step = worn.mean(0) - bare.mean(0)
    rng = np.random.default_rng(0)
    cosines = []
    for size in GROUPS:
        steps = []
        for _ in range(DRAWS):
            people = rng.permutation(len(bare))
            steps.append(worn[people[:size]].mean(0) - bare[people[-size:]].mean(0))
        found = np.array(steps)
        cosines.append(found @ step / np.linalg.norm(found, axis=1) / np.linalg.norm(step))
    low, middle, high = np.percentile(cosines, (10, 50, 90), axis=1)
    figure, axes = _axes("people in each of the two groups", "cosine to the mean step")
    axes.fill_between(GROUPS, low, high, color=BARE, alpha=0.2, lw=0, label="10% to 90%")
    axes.plot(GROUPS, middle, "o-", ms=4, color=BARE, label="median")
    axes.set_ylim(0, 1)
    axes.legend(frameon=False, loc="lower right")
    figure.savefig(IMAGES / "groups.png", dpi=110)
    print(dict(zip(GROUPS, middle.round(2).tolist(), strict=True)))


def _axes(x: str, y: str) -> tuple[Figure, Axes]:
    figure, axes = plt.subplots(figsize=(5.6, 4.2), layout="constrained")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
