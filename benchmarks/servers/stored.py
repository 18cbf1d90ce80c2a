"""The HTTP limit: the same server software answering a stored PNG, with no model behind it."""

import os
from pathlib import Path

from fastapi import FastAPI, Request, Response

PICTURE = Path(os.environ["BENCH_PICTURE"]).read_bytes()
app = FastAPI()


@app.post("/sample")
async def sample(request: Request) -> Response:
    """Read the request, answer the picture."""
    await request.body()
    return Response(PICTURE, media_type="image/png")
