"""Draw the README's first picture with a running service: ``python docs/picture.py URL OUT.png``.

Every face is drawn by the model; none of these people exists.
"""

import base64
import io
import sys
from pathlib import Path

import httpx
from PIL import Image

SEEDS = (11, 24, 17, 34, 48, 19, 8, 18)
TILE, GAP = 192, 4


def main(url: str, out: Path) -> None:
    """Ask for the three rows and write them as one PNG."""
    client = httpx.Client(base_url=url, headers={"Accept": "application/json"}, timeout=60)

    def ask(path: str, **request: object) -> list[bytes]:
        answer = client.post(path, **request).raise_for_status()  # type: ignore[arg-type]
        return [base64.b64decode(picture) for picture in answer.json()["images"]]

    def edit(expression: str, **faces: bytes) -> bytes:
        return ask("/arithmetic", data={"expression": expression}, files=faces)[0]

    faces = [ask("/sample", json={"seed": seed})[0] for seed in SEEDS]
    path = ask("/interpolate", files={"start": faces[0], "end": faces[1]}, data={"steps": "8"})
    bare, worn, other = faces[1], faces[3], faces[4]
    off = edit("me - glasses", me=worn)
    edits = [
        *(edit(f"me + {w}*glasses", me=bare) for w in (0, 0.5, 1, 1.5)),
        worn,
        off,
        other,
        edit("worn - bare + her", worn=worn, bare=off, her=other),
    ]
    board = Image.new("RGB", (8 * (TILE + GAP) - GAP, 3 * (TILE + GAP) - GAP), "white")
    for r, row in enumerate((faces, path, edits)):
        for c, data in enumerate(row):
            picture = Image.open(io.BytesIO(data)).convert("RGB").resize((TILE, TILE))
            board.paste(picture, (c * (TILE + GAP), r * (TILE + GAP)))
    board.save(out, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
