"""Name the picture in a folder that is the least like those the model was trained on.

The service gives the evidence lower bound (ELBO) of each picture, and how unusual that is among
pictures like those of the training set, from 0 to 100. The list begins with the oddest.

    python odd_picture.py folder
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic")


@dataclass(frozen=True)
class Scored:
    """A picture with its ELBO in nats, and how unusual it is; None if the model cannot say."""

    picture: Path
    elbo: float
    percentile: float | None


def score(client: httpx.Client, picture: Path, align: str) -> httpx.Response:
    """Request the score of one picture."""
    return client.post("/score", data={"align": align}, files={"image": picture.read_bytes()})


def error_message(response: httpx.Response) -> str:
    """What an error response says is wrong, one line for each field."""
    if not response.headers.get("Content-Type", "").startswith("application/problem+json"):
        return f"{response.url}: {response.status_code} {response.reason_phrase}"
    problem = response.json()  # RFC 9457
    fields = [f"{field['pointer']}: {field['detail']}" for field in problem.get("errors", [])]
    return "\n".join(fields or [problem["detail"]])


def ranked(client: httpx.Client, folder: Path, align: str) -> list[Scored]:
    """The pictures in a folder, the oddest first; one that is refused is reported and left out."""
    found = []
    for picture in sorted(folder.iterdir()):
        if picture.suffix.lower() not in SUFFIXES:
            continue
        response = score(client, picture, align)
        if response.is_success:
            [values] = response.json()["scores"]
            found.append(Scored(picture, values["elbo_nats"], values["percentile"]))
        else:
            print(f"{picture}: {error_message(response)}", file=sys.stderr)
    return sorted(found, key=lambda scored: scored.elbo)


def main() -> None:
    """Print a line for each picture, or exit with status 1 and a message."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="with the pictures")
    parser.add_argument(
        "--align", choices=["auto", "false"], default="auto", help="find the faces (default: auto)"
    )
    parser.add_argument("--url", default="http://localhost:8000", help="of the service")
    args = parser.parse_args()
    try:
        with httpx.Client(base_url=args.url, timeout=60) as client:
            found = ranked(client, args.folder, args.align)
    except OSError as error:
        sys.exit(str(error))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        sys.exit(f"{args.url}: {error}")
    if not found:
        sys.exit(f"{args.folder}: no picture in it has a score")
    for scored in found:
        percentile = "" if scored.percentile is None else f"{scored.percentile:.1f}"
        print(f"{scored.picture.name}\t{percentile}\t{scored.elbo:.0f}")
    print(f"The odd picture out is {found[0].picture.name}")


if __name__ == "__main__":
    main()
