"""Put glasses on the face in an ordinary photograph, or take them off.

The service finds the largest face. The result is the photograph at its full size. Only what the
glasses change is changed.

    python glasses.py off photo.jpg out.jpg
    python glasses.py on photo.jpg out.jpg
"""

import argparse
import sys
from pathlib import Path

import httpx

EXPRESSIONS = {"on": "me + 1.5*glasses", "off": "me - glasses"}
MEDIA_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
}


def edit(
    client: httpx.Client, expression: str, photo: Path, media_type: str, strength: str
) -> httpx.Response:
    """Request the photograph ``me`` with an edit; ``paste`` puts the edit back into it."""
    return client.post(
        "/arithmetic",
        data={"expression": expression, "paste": "true", "strength": strength},
        files={"me": photo.read_bytes()},
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
    """Write the edited photograph, or exit with status 1 and a message."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("glasses", choices=EXPRESSIONS, help="put them on, or take them off")
    parser.add_argument("photo", type=Path, help="photograph with a face")
    parser.add_argument("out", type=Path, help="file to write: .jpg, .png or .webp")
    parser.add_argument("--strength", default="1", help="of the edit, 0 to 2 or auto (default: 1)")
    parser.add_argument("--url", default="http://localhost:8000", help="of the service")
    args = parser.parse_args()
    media_type = MEDIA_TYPES.get(args.out.suffix.lower())
    if media_type is None:
        parser.error(f"{args.out}: the name must end in {', '.join(MEDIA_TYPES)}")
    try:
        with httpx.Client(base_url=args.url, timeout=60) as client:
            expression = EXPRESSIONS[args.glasses]
            response = edit(client, expression, args.photo, media_type, args.strength)
        if not response.is_success:
            sys.exit(error_message(response))
        args.out.write_bytes(response.content)
    except OSError as error:
        sys.exit(str(error))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        sys.exit(f"{args.url}: {error}")


if __name__ == "__main__":
    main()
