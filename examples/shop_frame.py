"""Put the glasses of one photograph on the face of another.

The photographs are ordinary ones: the service finds the largest face in each. The result is the
customer's photograph at its full size. Only what the glasses change is changed.

    python shop_frame.py customer.jpg worn.jpg out.jpg

Of several photographs of people who wear the same frame, the mean counts.
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


def put_on(
    client: httpx.Client, customer: Path, worn: list[Path], media_type: str, strength: str
) -> httpx.Response:
    """Request the customer's photograph with the frame of the others.

    ``glasses(worn)`` is the direction ``glasses`` with what is special about the glasses of
    ``worn``, and without the rest of the faces. ``paste`` puts the edit back into the photograph.
    """
    return client.post(
        "/arithmetic",
        data={"expression": "her + glasses(worn)", "paste": "true", "strength": strength},
        files=[("her", customer.read_bytes()), *(("worn", file.read_bytes()) for file in worn)],
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
    parser.add_argument("customer", type=Path, help="photograph of someone without glasses")
    parser.add_argument(
        "worn", type=Path, nargs="+", help="photograph of someone who wears the frame"
    )
    parser.add_argument("out", type=Path, help="file to write: .jpg, .png or .webp")
    parser.add_argument("--strength", default="1", help="of the frame, 0 to 2 or auto (default: 1)")
    parser.add_argument("--url", default="http://localhost:8000", help="of the service")
    args = parser.parse_args()
    media_type = MEDIA_TYPES.get(args.out.suffix.lower())
    if media_type is None:
        parser.error(f"{args.out}: the name must end in {', '.join(MEDIA_TYPES)}")
    try:
        with httpx.Client(base_url=args.url, timeout=60) as client:
            response = put_on(client, args.customer, args.worn, media_type, args.strength)
        if not response.is_success:
            sys.exit(error_message(response))
        args.out.write_bytes(response.content)
    except OSError as error:
        sys.exit(str(error))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        sys.exit(f"{args.url}: {error}")


if __name__ == "__main__":
    main()
