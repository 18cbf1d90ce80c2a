"""Labelled cartoon portraits, drawn from a seed: training data that anyone can reproduce.

A portrait is a set of independent choices (hair, skin, frame, ...). Because it is drawn, the
correct result of an edit is known: every identity of the test split is rendered without glasses, in
one pair, and in another, and the three differ in nothing else.
"""

import csv
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from xml.etree import ElementTree  # of our own drawings # nosec B405

import numpy as np
import python_avatars
import resvg_py

SIZE = 256  # pixels a side
VIEW_BOX = "32 18 200 200"  # the head and shoulders within the drawing's 264 x 280 units

LICENCE = "drawn by Lorgnette with the python-avatars package (MIT licence)"

# Clear lenses, and every frame dark on every skin: see docs/decisions/0010-avatar-frames.md.
FRAMES = {"round": "ROUND", "square": "PRESCRIPTION_2", "panto": "PRESCRIPTION_1"}
FRAME_COLORS = {"black": "#1B1F22", "brown": "#4A2A14", "burgundy": "#5E1322", "navy": "#1A2B6B"}
DRAWN_FRAME_COLORS = ("#252C2F", "#D6EAF2")  # what the package draws the frames in

SHORT_HAIR = ["none", "short_flat", "short_waved", "sides"]
LONG_HAIR = ["bob", "bun", "curly", "straight_strand"]
HAIR_COLORS = {
    "black": "#2C1B18",
    "brown": "#724133",
    "red": "#C93305",
    "blonde": "#D6B370",
    "grey": "#A9A5A2",
}
SKINS = {"pale": "#FFDBB4", "light": "#EDB98A", "brown": "#AE5D29", "dark": "#8A5A3C"}
BEARDS = ["beard_light", "beard_medium", "moustache_magnum"]
SMILES = ["smile", "twinkle"]
OTHER_MOUTHS = ["serious", "sad"]
EYES = ["default", "happy", "side"]
EYEBROWS = ["default", "raised_excited"]
CLOTHES = ["shirt_crew_neck", "shirt_v_neck", "collar_sweater"]
CLOTHES_COLORS = {
    "black": "#262E33",
    "blue": "#5199E4",
    "white": "#FFFFFF",
    "yellow": "#FFE27A",
    "red": "#E0484D",
}
BACKGROUNDS = {"sky": "#CFE3F5", "mint": "#CDEBDD", "sand": "#F1E4C8", "rose": "#F6D5DA"}


@dataclass(frozen=True)
class Portrait:
    """One portrait by its choices; the columns of ``manifest.csv`` after ``file`` and ``split``.

    ``glasses``, ``beard``, ``long_hair`` and ``smile`` are 1 or 0; the rest name an
    entry of this module's tables, or are empty where there is none.
    """

    identity: int
    glasses: int
    beard: int
    long_hair: int
    smile: int
    frame: str
    frame_color: str
    facial_hair: str
    hair: str
    hair_color: str
    skin: str
    mouth: str
    eyes: str
    eyebrows: str
    clothes: str
    clothes_color: str
    background: str


def portrait(seed: int, identity: int, glasses_fraction: float = 0.5) -> Portrait:
    """Draw the choices of one identity; the same for the same ``seed`` and ``identity``."""
    rng = np.random.default_rng((seed, identity))

    def pick(options: Any) -> str:
        names = list(options)
        return str(names[rng.integers(len(names))])

    long_hair = int(rng.random() < 0.45)
    beard = int(rng.random() < (0.05 if long_hair else 0.4))
    smile = int(rng.random() < 0.6)
    bare = Portrait(
        identity=identity,
        glasses=0,
        beard=beard,
        long_hair=long_hair,
        smile=smile,
        frame="",
        frame_color="",
        facial_hair=pick(BEARDS) if beard else "",
        hair=pick(LONG_HAIR if long_hair else SHORT_HAIR),
        hair_color=pick(HAIR_COLORS),
        skin=pick(SKINS),
        mouth=pick(SMILES if smile else OTHER_MOUTHS),
        eyes=pick(EYES),
        eyebrows=pick(EYEBROWS),
        clothes=pick(CLOTHES),
        clothes_color=pick(CLOTHES_COLORS),
        background=pick(BACKGROUNDS),
    )
    frame, color = pick(FRAMES), pick(FRAME_COLORS)
    return wearing(bare, frame, color) if rng.random() < glasses_fraction else bare


def wearing(bare: Portrait, frame: str, color: str) -> Portrait:
    """The same portrait in glasses of this frame and colour."""
    return replace(bare, glasses=1, frame=frame, frame_color=color)


def counterfactuals(seed: int, identity: int) -> list[Portrait]:
    """One identity three times: without glasses, in one pair, and in a pair of another frame."""
    bare = portrait(seed, identity, glasses_fraction=0.0)
    rng = np.random.default_rng((seed, identity, 1))
    frames = rng.permutation(list(FRAMES))[:2]
    colors = rng.choice(list(FRAME_COLORS), 2)
    worn = [wearing(bare, str(f), str(c)) for f, c in zip(frames, colors, strict=True)]
    return [bare, *worn]


def svg(choice: Portrait) -> str:
    """The drawing of a portrait, cropped to head and shoulders."""

    def part(kind: Any, name: str) -> Any:
        return kind[(name or "none").upper()]

    drawing = python_avatars.Avatar(
        style=python_avatars.AvatarStyle.TRANSPARENT,
        top=part(python_avatars.HairType, choice.hair),
        eyebrows=part(python_avatars.EyebrowType, choice.eyebrows),
        eyes=part(python_avatars.EyeType, choice.eyes),
        mouth=part(python_avatars.MouthType, choice.mouth),
        facial_hair=part(python_avatars.FacialHairType, choice.facial_hair),
        skin_color=SKINS[choice.skin],
        hair_color=HAIR_COLORS[choice.hair_color],
        facial_hair_color=HAIR_COLORS[choice.hair_color],
        accessory=part(python_avatars.AccessoryType, FRAMES.get(choice.frame, "none")),
        clothing=part(python_avatars.ClothingType, choice.clothes),
        clothing_color=CLOTHES_COLORS[choice.clothes_color],
    ).render()
    root = ElementTree.fromstring(drawing)  # nosec B314  # noqa: S314 -- drawn by the line above
    root.set("viewBox", VIEW_BOX)
    for attribute in ("width", "height"):
        root.set(attribute, str(SIZE))
    if choice.frame:
        _recolor(root, FRAME_COLORS[choice.frame_color])
    return ElementTree.tostring(root, encoding="unicode")


def _recolor(root: ElementTree.Element, color: str) -> None:
    """Give the glasses of a drawing this color, and a rim that is a little bolder than drawn."""
    group = next(e for e in root.iter() if re.search(r"_Accessory$", e.get("id", "")))
    for element in group.iter():
        if element.get("fill") in DRAWN_FRAME_COLORS:
            element.set("fill", color)
            element.set("stroke", color)
            element.set("stroke-width", "1.5")


def png(choice: Portrait) -> bytes:
    """A portrait as the bytes of an opaque PNG of ``SIZE`` x ``SIZE`` pixels."""
    return bytes(
        resvg_py.svg_to_bytes(
            svg_string=svg(choice),
            background=BACKGROUNDS[choice.background],
            skip_system_fonts=True,
        )
    )


def render(out: Path, train: int, test: int, seed: int, workers: int | None) -> Iterator[int]:
    """Write ``images/*.png`` and ``manifest.csv`` under ``out``, on all cores.

    Args:
        out: the folder to make.
        train: portraits of the train split, one an identity.
        test: identities of the test split, three portraits each (see ``counterfactuals``).
        seed: of every choice; the same seed writes the same images.
        workers: processes, or None for one a core.

    Yields:
        the number of portraits written so far, out of ``train + 3 * test``.
    """
    rows = [("train", portrait(seed, i)) for i in range(train)]
    for i in range(train, train + test):
        rows += [("test", choice) for choice in counterfactuals(seed, i)]
    (out / "images").mkdir(parents=True, exist_ok=True)
    names = [f"images/{i:06d}.png" for i in range(len(rows))]
    with ProcessPoolExecutor(
        workers,
        mp_context=get_context("spawn"),
        initializer=signal.signal,  # Ctrl-C is for the process that waits for them
        initargs=(signal.SIGINT, signal.SIG_IGN),
    ) as pool:
        images = pool.map(png, (choice for _, choice in rows), chunksize=4)
        try:
            for done, (name, data) in enumerate(zip(names, images, strict=True), start=1):
                (out / name).write_bytes(data)
                yield done
        finally:
            pool.shutdown(cancel_futures=True)  # what is left to draw, if this was stopped
    (out / "licence.txt").write_text(LICENCE + "\n")
    with (out / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "split", *(f.name for f in fields(Portrait))])
        for name, (split, choice) in zip(names, rows, strict=True):
            writer.writerow([name, split, *asdict(choice).values()])
