"""The HTTP limit: the same server software with a stored PNG, with no model behind it."""

import os
from pathlib import Path

from fastapi import FastAPI, Request, Response

IMAGE = Path(os.environ["BENCH_IMAGE"]).read_bytes()
app = FastAPI()


@app.post("/sample")
async def sample(request: Request) -> Response:
    """Read the request, respond with the image."""
    await request.body()
    return Response(IMAGE, media_type="image/png")
