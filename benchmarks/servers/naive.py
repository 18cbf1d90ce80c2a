"""The service that a reader of tutorials writes: PyTorch in the endpoint, PNG by Pillow.

The endpoints are plain functions, so that FastAPI runs them on its threads, as its documentation
says of code that blocks.
"""

import io
import os
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from fastapi import FastAPI, Form, Response, UploadFile
from PIL import Image
from pydantic import BaseModel
from torch import Tensor

from vae.checkpoint import load
from vae.latent import path

loaded = load(Path(os.environ.get("BENCH_CHECKPOINT", "models/faces/model.safetensors")))
model = loaded.model
app = FastAPI()


class Sample(BaseModel):
    """How many images, and from which seed."""

    n: int = 1
    seed: int = 0


def encode(file: UploadFile) -> Tensor:
    """The latent of an uploaded image."""
    image = Image.open(io.BytesIO(file.file.read())).convert("RGB").resize((256, 256))
    x = torch.from_numpy(np.array(image)).permute(2, 0, 1).unsqueeze(0).float() / 255
    with torch.no_grad():
        return model.encode(x).mean[0]


def respond(z: Tensor, columns: int) -> Response:
    """The images of latents as one PNG."""
    with torch.no_grad():
        images = model.decode(z)
    pixels = (images * 255).round().byte().permute(0, 2, 3, 1).numpy()
    rows = [np.concatenate(list(pixels[i : i + columns]), 1) for i in range(0, len(z), columns)]
    stream = io.BytesIO()
    Image.fromarray(np.concatenate(rows, 0)).save(stream, "PNG")
    return Response(stream.getvalue(), media_type="image/png")


@app.post("/sample")
def sample(request: Sample) -> Response:
    """New images."""
    z = loaded.sample(range(request.seed, request.seed + request.n))
    return respond(z, int(np.ceil(np.sqrt(request.n))))


@app.post("/reconstruct")
def reconstruct(image: UploadFile) -> Response:
    """An image through the latent space and back."""
    return respond(encode(image)[None], 1)


@app.post("/interpolate")
def interpolate(start: UploadFile, end: UploadFile, steps: Annotated[int, Form()] = 8) -> Response:
    """A path between two images."""
    return respond(path(encode(start), encode(end), steps), steps)


@app.post("/arithmetic")
def arithmetic(a: UploadFile, b: UploadFile, c: UploadFile) -> Response:
    """The image of a - b + c."""
    return respond((encode(a) - encode(b) + encode(c))[None], 1)
