"""Draw the README's first picture with a running service: ``python docs/picture.py URL OUT.png``.

The inputs are avatars of the test split, which the model has never seen; every other tile is an
answer of the service.
"""

import base64
import io
import sys
from pathlib import Path

import httpx
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent))

from training.avatars import counterfactuals, png

SEED, FIRST_TEST_IDENTITY, TILE, GAP = 0, 8000, 192, 4


def main(url: str, out: Path) -> None:
    """Ask for the three rows and write them as one PNG."""
    client = httpx.Client(base_url=url, headers={"Accept": "application/json"}, timeout=60)
    people = [counterfactuals(SEED, FIRST_TEST_IDENTITY + i) for i in (1, 4, 7, 12)]
    bare = [png(person[0]) for person in people]
    worn = [png(person[1]) for person in people]

    def ask(path: str, files: dict[str, bytes], **data: str) -> list[bytes]:
        answer = client.post(path, files=files, data=data).raise_for_status()
        return [base64.b64decode(picture) for picture in answer.json()["images"]]

    def edit(expression: str, **files: bytes) -> bytes:
        return ask("/arithmetic", files, expression=expression)[0]

    first = [bare[0], worn[1], bare[2], worn[3]]
    row_1 = [tile for face in first for tile in (face, *ask("/reconstruct", {"image": face}))]
    row_2 = ask("/interpolate", {"start": bare[0], "end": worn[1]}, steps="8")
    row_3 = [
        *(edit(f"me + {w}*glasses", me=bare[2]) for w in (0, 0.5, 1, 1.5)),
        edit("me - glasses", me=worn[1]),
        worn[1],
        bare[1],
        edit("hers - her + him", hers=worn[1], her=bare[1], him=bare[0]),
    ]
    rows = [row_1, row_2, row_3]
    board = Image.new("RGB", (8 * (TILE + GAP) - GAP, 3 * (TILE + GAP) - GAP), "white")
    for r, row in enumerate(rows):
        for c, data in enumerate(row):
            picture = Image.open(io.BytesIO(data)).convert("RGB").resize((TILE, TILE))
            board.paste(picture, (c * (TILE + GAP), r * (TILE + GAP)))
    board.save(out, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
