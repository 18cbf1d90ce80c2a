import json

import numpy as np
import torch

from app.http.output import Output
from app.http.responses import ImageSource, images_as_json
from app.images.animation import Animation
from app.images.encoding import Encoding
from app.operations.decode import DecodedImage


def test_json_is_joined_as_it_would_be_dumped() -> None:
    rng = np.random.default_rng(0)
    made = [
        DecodedImage(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8), torch.randn(5), seed)
        for seed in (7, None, 8)
    ]
    output = Output("application/json", Encoding(), None, Animation())
    encoded = images_as_json(ImageSource('a "model"@0', 0.7, output), made)
    body = json.loads(encoded.body)
    assert encoded.media_type == "application/json"
    assert body["model"] == 'a "model"@0'
    assert body["detail"] == 0.7
    assert body["seeds"] == [7, 8]
    assert body["latents"] == [image.latent.tolist() for image in made]
    assert len(body["images"]) == 3
    assert list(body) == ["model", "detail", "images", "latents", "seeds"]
