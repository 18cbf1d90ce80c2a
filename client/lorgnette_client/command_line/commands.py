"""What each command does."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from lorgnette_client.client import Client
from lorgnette_client.command_line.arguments import FORMATS
from lorgnette_client.command_line.encoding import REFUSED, encode_images, image_files
from lorgnette_client.errors import LorgnetteError
from lorgnette_client.operands import Operand
from lorgnette_client.options import Format, PhotographFormat


def sample(client: Client, args: argparse.Namespace) -> None:
    """Write new images."""
    options = _options(args, "n", "seed", "temperature", "prior", "size", "detail", "quality")
    args.out.write_bytes(client.sample(format=_format(args.out), **options))


def edit(client: Client, args: argparse.Namespace) -> None:
    """Write the edited photograph, at its full size where the model aligns photographs."""
    expression = args.expression.strip()
    if expression[:1] in ("+", "-"):
        expression = f"me {expression}"
    operands: dict[str, list[Operand]] = {"me": [args.photograph]}
    for name, file in args.operand:
        operands.setdefault(name, []).append(file)
    options = _options(args, "strength", "size", "detail", "quality")
    if "size" not in options and _aligns(client, args.model):
        options["paste"] = True
    file_format = cast(PhotographFormat, _format(args.out))
    args.out.write_bytes(client.arithmetic(expression, operands, format=file_format, **options))


def morph(client: Client, args: argparse.Namespace) -> None:
    """Write a path from the first image to the last, through the others."""
    *via, end = args.others
    options = _options(args, "steps", "fps", "bounce", "size", "detail", "quality")
    file_format = _format(args.out)
    args.out.write_bytes(
        client.interpolate(args.start, end, via=via, format=file_format, **options)
    )


def faces(client: Client, args: argparse.Namespace) -> None:
    """Print a line for each face: file, number, score, box."""
    for path in args.photographs:
        [photograph] = client.faces(path)
        for number, face in enumerate(photograph.faces, 1):
            box = " ".join(f"{value:.0f}" for value in face.box)
            print(f"{path}\t{number}\t{face.score:.2f}\t{box}")
        if not photograph.faces:
            print(f"{path}: no face", file=sys.stderr)


def inpaint(client: Client, args: argparse.Namespace) -> None:
    """Write the image with its masked part filled in, once or several times."""
    options = _options(args, "n", "seed", "temperature", "size", "detail", "quality")
    if args.no_align:
        options["align"] = False
    file_format = _format(args.out)
    args.out.write_bytes(client.inpaint(args.image, args.mask, format=file_format, **options))


def score(client: Client, args: argparse.Namespace) -> None:
    """Print a line for each image: file, percentile, ELBO in nats, mean squared error.

    An image that the service refuses is named, and left out.
    """
    options = _options(args)
    if args.no_align:
        options["align"] = False
    for path in image_files(args.source):
        try:
            [found] = client.score(path, **options).scores
        except LorgnetteError as error:
            if error.status not in REFUSED:
                raise
            print(f"{path}: {error}", file=sys.stderr)
            continue
        percentile = "" if found.percentile is None else f"{found.percentile:.1f}"
        print(f"{path}\t{percentile}\t{found.elbo_nats:.0f}\t{found.mse:.5f}")


def encode(client: Client, args: argparse.Namespace) -> None:
    """Write the latents of an image, or of all images in a folder and those below it."""
    files = image_files(args.source)
    encode_images(client, files, args.out, skip=args.skip, options=_options(args))


def directions(client: Client, args: argparse.Namespace) -> None:
    """Print a line for each direction: its name, and what it means."""
    for direction in client.directions(**_options(args)).directions:
        print(f"{direction.name}\t{direction.meaning}")


def reload(client: Client, args: argparse.Namespace) -> None:
    """Print what came of it, and the model that serves now."""
    reloaded = client.reload(args.name)
    print(f"{reloaded.outcome}\t{reloaded.model.id}")


COMMANDS: dict[str, Callable[[Client, argparse.Namespace], None]] = {
    "sample": sample,
    "edit": edit,
    "morph": morph,
    "faces": faces,
    "inpaint": inpaint,
    "score": score,
    "encode": encode,
    "directions": directions,
    "reload": reload,
}


def _options(args: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Those that were given."""
    values = {name: getattr(args, name) for name in ("model", *names)}
    return {name: value for name, value in values.items() if value is not None}


def _format(out: Path) -> Format:
    return cast(Format, FORMATS[out.suffix.lower()])


def _aligns(client: Client, model: str | None) -> bool:
    info = client.models()[0] if model is None else client.model(model)
    return info.alignment_template is not None
