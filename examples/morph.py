"""Interpolate between the faces in two photographs.

The service finds and aligns the largest face in each. The result is the reconstruction of the first
face, the steps between, and the reconstruction of the second: one row of faces as a PNG, or a GIF
that plays them forwards and backwards.

    python morph.py start.jpg end.jpg out.png
    python morph.py start.jpg end.jpg out.gif --steps 24
"""

import argparse
import sys
from pathlib import Path

import httpx

MEDIA_TYPES = {".png": "image/png", ".gif": "image/gif"}


def morph(
    client: httpx.Client, start: Path, end: Path, steps: str, media_type: str
) -> httpx.Response:
    """Request the path between two faces, as one row without gaps or as an animation."""
    fields = {"steps": steps}
    if media_type == "image/gif":
        fields |= {"fps": "12", "bounce": "true", "easing": "ease-in-out"}
    return client.post(
        "/interpolate",
        data=fields,
        files={"start": start.read_bytes(), "end": end.read_bytes()},
        headers={"Accept": media_type},
    )


def error_message(response: httpx.Response) -> str:
    """What an error response says is wrong, one line for each field."""
    if not response.headers.get("Content-Type", "").startswith("application/problem+json"):
        return f"{response.url}: {response.status_code} {response.reason_phrase}"
    problem = response.json()  # RFC 9457
    fields = [f"{field['pointer']}: {field['detail']}" for field in problem.get("errors", [])]
    return "\n".join(fields or [problem["detail"]])


def main() -> None:
    """Write the row or the animation, or exit with status 1 and a message."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("start", type=Path, help="photograph of the first face")
    parser.add_argument("end", type=Path, help="photograph of the last face")
    parser.add_argument("out", type=Path, help="file to write: .png or .gif")
    parser.add_argument("--steps", default="8", help="faces, 2 to 64 (default: 8)")
    parser.add_argument("--url", default="http://localhost:8000", help="of the service")
    args = parser.parse_args()
    media_type = MEDIA_TYPES.get(args.out.suffix.lower())
    if media_type is None:
        parser.error(f"{args.out}: the name must end in {', '.join(MEDIA_TYPES)}")
    try:
        with httpx.Client(base_url=args.url, timeout=60) as client:
            response = morph(client, args.start, args.end, args.steps, media_type)
        if not response.is_success:
            sys.exit(error_message(response))
        args.out.write_bytes(response.content)
    except OSError as error:
        sys.exit(str(error))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        sys.exit(f"{args.url}: {error}")


if __name__ == "__main__":
    main()
