"""Save a shop's new frame under a name, and put it on a customer's photograph.

The frame is what photographs of people who wear it have in common, and photographs of the same
people, or of others, without it have not. The service keeps it as a named direction: from then on,
``me + NAME`` is an expression for everybody who uses the service.

    python new_frame.py round --worn a.jpg --worn b.jpg --bare c.jpg customer.jpg out.jpg

Without ``--bare``, it is what is special about these glasses among all glasses.
"""

import argparse
import sys
from pathlib import Path

import httpx

MEDIA_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
}


def save_frame(
    client: httpx.Client, name: str, worn: list[Path], bare: list[Path]
) -> httpx.Response:
    """Save a direction; one of this name that was saved before is replaced."""
    files = [("with", file.read_bytes()) for file in worn]
    files += [("without", file.read_bytes()) for file in bare]
    fields = {"meaning": f"the frame {name}"}
    if not bare:
        fields["label"] = "glasses"
    return client.put(f"/directions/{name}", data=fields, files=files)


def put_on(
    client: httpx.Client, name: str, customer: Path, media_type: str, strength: str
) -> httpx.Response:
    """Request the customer's photograph with the frame; ``paste`` puts the edit back into it."""
    return client.post(
        "/arithmetic",
        data={"expression": f"me + {name}", "paste": "true", "strength": strength},
        files={"me": customer.read_bytes()},
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
    """Save the frame and write the edited photograph, or exit with status 1 and a message."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", help="of the frame: letters, digits and underscores")
    parser.add_argument("customer", type=Path, help="photograph of someone without glasses")
    parser.add_argument("out", type=Path, help="file to write: .jpg, .png or .webp")
    parser.add_argument(
        "--worn", type=Path, action="append", required=True, help="with the frame; may be repeated"
    )
    parser.add_argument(
        "--bare", type=Path, action="append", default=[], help="without glasses; may be repeated"
    )
    parser.add_argument("--strength", default="1", help="of the frame, 0 to 2 or auto (default: 1)")
    parser.add_argument("--url", default="http://localhost:8000", help="of the service")
    args = parser.parse_args()
    media_type = MEDIA_TYPES.get(args.out.suffix.lower())
    if media_type is None:
        parser.error(f"{args.out}: the name must end in {', '.join(MEDIA_TYPES)}")
    try:
        with httpx.Client(base_url=args.url, timeout=60) as client:
            response = save_frame(client, args.name, args.worn, args.bare)
            if response.is_success:
                response = put_on(client, args.name, args.customer, media_type, args.strength)
        if not response.is_success:
            sys.exit(error_message(response))
        args.out.write_bytes(response.content)
    except OSError as error:
        sys.exit(str(error))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        sys.exit(f"{args.url}: {error}")


if __name__ == "__main__":
    main()
