"""Show a customer in a frame that changes into another, such as from black to white.

The photographs are ordinary ones: the customer's, and one of somebody who wears each frame. The
result is one row of faces as a PNG, or the same as a GIF that plays forwards and backwards.

    python frame_steps.py customer.jpg black.jpg white.jpg steps.png
"""

import argparse
import sys
from pathlib import Path

import httpx

MEDIA_TYPES = {".png": "image/png", ".gif": "image/gif"}


def put_on(client: httpx.Client, customer: Path, worn: Path, strength: str) -> httpx.Response:
    """Request the latent of the customer with the frame of another photograph, as JSON."""
    return client.post(
        "/arithmetic",
        data={"expression": "her + glasses(worn)", "strength": strength},
        files={"her": customer.read_bytes(), "worn": worn.read_bytes()},
        headers={"Accept": "application/json"},
    )


def path_between(
    client: httpx.Client, latents: list[list[float]], steps: int, media_type: str
) -> httpx.Response:
    """Request the straight path from one latent to the other."""
    start, end = ({"latent": latent} for latent in latents)
    body: dict[str, object] = {"start": start, "end": end, "steps": steps, "method": "lerp"}
    if media_type == "image/gif":
        body |= {"bounce": True, "fps": 5}
    return client.post("/interpolate", json=body, headers={"Accept": media_type})


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
    parser.add_argument("customer", type=Path, help="photograph of someone without glasses")
    parser.add_argument("first", type=Path, help="photograph of someone who wears the first frame")
    parser.add_argument("last", type=Path, help="photograph of someone who wears the last frame")
    parser.add_argument("out", type=Path, help="file to write: .png or .gif")
    parser.add_argument("--steps", type=int, default=8, help="faces, 2 to 64 (default: 8)")
    parser.add_argument("--strength", default="1.5", help="of the frames, 0 to 2 (default: 1.5)")
    parser.add_argument("--url", default="http://localhost:8000", help="of the service")
    args = parser.parse_args()
    media_type = MEDIA_TYPES.get(args.out.suffix.lower())
    if media_type is None:
        parser.error(f"{args.out}: the name must end in {', '.join(MEDIA_TYPES)}")
    try:
        with httpx.Client(base_url=args.url, timeout=60) as client:
            latents = []
            for worn in (args.first, args.last):
                response = put_on(client, args.customer, worn, args.strength)
                if not response.is_success:
                    sys.exit(error_message(response))
                latents += response.json()["latents"]
            response = path_between(client, latents, args.steps, media_type)
        if not response.is_success:
            sys.exit(error_message(response))
        args.out.write_bytes(response.content)
    except OSError as error:
        sys.exit(str(error))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        sys.exit(f"{args.url}: {error}")


if __name__ == "__main__":
    main()
