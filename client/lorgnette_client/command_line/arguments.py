"""The arguments of the command line."""

import argparse
from collections.abc import Callable
from pathlib import Path

FORMATS = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".webp": "webp",
    ".gif": "gif",
    ".apng": "apng",
    ".zip": "zip",
    ".json": "json",
    ".npy": "npy",
}
PHOTOGRAPH = (".png", ".jpg", ".jpeg", ".webp", ".json")


def parser() -> argparse.ArgumentParser:
    """The parser; what it parses has ``command`` and the arguments of that command."""
    top = argparse.ArgumentParser(
        prog="lorgnette",
        description="Samples, edits and morphs of a Lorgnette service.",
        epilog="The API key, if the service needs one, is taken from LORGNETTE_API_KEY; that of "
        "reload is an admin key.",
    )
    top.add_argument("--url", help="of the service (default: LORGNETTE_URL, or port 8000 here)")
    top.add_argument("--model", help="name of a loaded model (default: the service's first)")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_sample(commands.add_parser("sample", help="make new images"))
    _add_edit(commands.add_parser("edit", help="change a photograph by an expression"))
    _add_morph(commands.add_parser("morph", help="make a path from one image to another"))
    faces = commands.add_parser("faces", help="list the faces in photographs")
    faces.add_argument("photographs", type=Path, nargs="+", metavar="PHOTOGRAPH")
    _add_inpaint(commands.add_parser("inpaint", help="fill in a part of an image"))
    score = commands.add_parser("score", help="say how unusual images are for the model")
    score.add_argument("source", type=Path, metavar="FOLDER", help="with images, or an image")
    _add_no_align(score)
    _add_encode(commands.add_parser("encode", help="write the latents of images as a NumPy file"))
    commands.add_parser("directions", help="list what expressions can add or subtract")
    reload = commands.add_parser("reload", help="load a model again whose file has changed")
    reload.add_argument("name", help="of the model")
    return top


def _add_sample(command: argparse.ArgumentParser) -> None:
    command.add_argument("-n", type=int, default=1, help="images, 1 to 64 (default: 1)")
    command.add_argument("--seed", type=int, help="of the first image (default: random)")
    command.add_argument("--temperature", type=float, help="0 to 2 (default: 1)")
    command.add_argument("--prior", choices=("fitted", "standard"))
    _add_drawing(command, tuple(FORMATS))


def _add_edit(command: argparse.ArgumentParser) -> None:
    command.add_argument("photograph", type=Path)
    command.add_argument(
        "expression",
        help="such as '+ glasses' or '- glasses', with a space after the sign; or a whole one, in "
        "which the photograph is 'me'",
    )
    command.add_argument(
        "--operand",
        action="append",
        default=[],
        type=_operand,
        metavar="NAME=FILE",
        help="an image for another name of the expression; may be repeated",
    )
    command.add_argument("--strength", help="of the directions, 0 to 2 or auto (default: 1)")
    _add_drawing(command, PHOTOGRAPH)


def _add_morph(command: argparse.ArgumentParser) -> None:
    command.add_argument("start", type=Path)
    command.add_argument(
        "others", type=Path, nargs="+", metavar="IMAGE", help="the last is the end"
    )
    command.add_argument("--steps", type=int, default=16, help="images, 2 to 64 (default: 16)")
    command.add_argument("--fps", type=float, help="images a second of a .gif or .apng")
    command.add_argument(
        "--bounce", action="store_true", default=None, help="play it backwards too"
    )
    _add_drawing(command, tuple(FORMATS))


def _add_inpaint(command: argparse.ArgumentParser) -> None:
    command.add_argument("image", type=Path)
    command.add_argument("mask", type=Path, help="of its size, white where it is filled in")
    command.add_argument("-n", type=int, default=1, help="results, 1 to 64 (default: 1)")
    command.add_argument("--seed", type=int, help="of the first result (default: random)")
    command.add_argument("--temperature", type=float, help="0 for the most likely (default: 1)")
    _add_no_align(command)
    _add_drawing(command, tuple(FORMATS))


def _add_no_align(command: argparse.ArgumentParser) -> None:
    command.add_argument("--no-align", action="store_true", help="look for no face")


def _add_encode(command: argparse.ArgumentParser) -> None:
    command.add_argument("source", type=Path, metavar="FOLDER", help="with images, or an image")
    command.add_argument(
        "-o",
        "--out",
        type=_out((".npy",)),
        required=True,
        help=".npy for float32 (N, D); the names of the images, in order, are written as .txt",
    )
    command.add_argument(
        "--skip", action="store_true", help="leave out images that the service refuses"
    )


def _add_drawing(command: argparse.ArgumentParser, suffixes: tuple[str, ...]) -> None:
    command.add_argument(
        "-o", "--out", type=_out(suffixes), required=True, help=f"file: {', '.join(suffixes)}"
    )
    command.add_argument("--size", type=int, help="pixels a side of each image, 32 to 1024")
    command.add_argument("--detail", type=float, help="0 for smooth to 1 for sharp")
    command.add_argument("--quality", type=int, help="1 to 100, of .jpg and .webp")


def _out(suffixes: tuple[str, ...]) -> Callable[[str], Path]:
    """The type of an argument: a file to write, whose name says the format."""

    def check(name: str) -> Path:
        path = Path(name)
        if path.suffix.lower() not in suffixes:
            raise argparse.ArgumentTypeError(f"{name}: the name must end in {', '.join(suffixes)}")
        if not path.parent.is_dir():
            raise argparse.ArgumentTypeError(f"{path.parent} is not a folder")
        return path

    return check


def _operand(argument: str) -> tuple[str, Path]:
    name, separator, file = argument.partition("=")
    if not (name and separator and file):
        raise argparse.ArgumentTypeError(f"{argument!r} is not NAME=FILE")
    return name, Path(file)
