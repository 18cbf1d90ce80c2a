"""Examples of requests, responses and errors, for the OpenAPI document."""

from typing import Any

from app.http.negotiation import APNG, GIF, JPEG, NPY, PNG, WEBP, ZIP

Json = dict[str, Any]

IMAGE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)

# Two by two pixels, of which the right half is white.
HALF_WHITE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAAAAABX3VL4AAAADklEQVR4"
    "nGNg+M/EwAAABAgBAveh/HQAAAAASUVORK5CYII="
)

# A small file of each media type: name, what it is, content in base64.
FILES: dict[str, tuple[str, str, str]] = {
    PNG: ("Png", "A PNG; several images are one contact sheet", IMAGE),
    JPEG: (
        "Jpeg",
        "A JPEG; several images are one contact sheet",
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxO"
        "QERXRTc4UG1RV19iZ2hnPk1xeXBkeFxlZ2P/wAALCAABAAEBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAAP/E"
        "ABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AP//Z",
    ),
    WEBP: (
        "Webp",
        "A WebP; several images are one contact sheet",
        "UklGRh4AAABXRUJQVlA4TBEAAAAvAAAAAAdQwAIWsP+BiOh/AAA=",
    ),
    GIF: (
        "Gif",
        "A GIF that plays the images",
        "R0lGODlhAQABAIEAAAAAAP///wAAAAAAACH/C05FVFNDQVBFMi4wAwEAAAAh+QQACgAAACwAAAAAAQABAAAI"
        "BAABBAQAIfkEAAoAAAAsAAAAAAEAAQCBAAAA////AAAAAAAACAQAAwQEADs=",
    ),
    APNG: (
        "Apng",
        "An animated PNG that plays the images",
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACGFjVEwAAAACAAAAAPONk3AAAAAaZmNUTAAA"
        "AAAAAAABAAAAAQAAAAAAAAAAAAEACgAAWn8w0AAAAApJREFUeF5jcgAAAEYAQ8GeB/gAAAAaZmNUTAAAAAEA"
        "AAABAAAAAQAAAAAAAAAAAAEACgAAwQzaBAAAAA5mZEFUAAAAAnheYzoAAADGAMPI6O+WAAAAAElFTkSuQmCC",
    ),
    ZIP: (
        "Zip",
        "A ZIP archive of PNGs, `001.png` and so on",
        "UEsDBBQAAAAAAAAAIQCsy5zNQwAAAEMAAAAHAAAAMDAxLnBuZ4lQTkcNChoKAAAADUlIRFIAAAABAAAAAQgA"
        "AAAAOn6bVQAAAApJREFUeJxjaAAAAIIAgXfNcrYAAAAASUVORK5CYIJQSwECFAAUAAAAAAAAACEArMuczUMA"
        "AABDAAAABwAAAAAAAAAAAAAAAAAAAAAAMDAxLnBuZ1BLBQYAAAAAAQABADUAAABoAAAAAAA=",
    ),
    NPY: (
        "Npy",
        "The latents, float32 `(N, D)`, as an array of NumPy",
        "k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDEs"
        "IDMpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg"
        "IAqPwvU9MzMzvwrXgz8=",
    ),
}

ERROR_EXAMPLES = {
    400: ("unreadable-body", "the body is not JSON: EOF while parsing an object at column 9"),
    401: ("no-key", "send your API key: Authorization: Bearer KEY"),
    403: ("read-only-key", "this API key may not save or delete anything"),
    404: ("unknown-model", "no model 'cats'; loaded are faces"),
    405: ("method-not-allowed", "GET is not allowed at /sample"),
    406: ("not-acceptable", "Accept is 'text/html'; this endpoint offers image/png, image/gif"),
    408: ("slow-body", "the body was not received within 30 seconds"),
    409: (
        "direction-of-checkpoint",
        "'glasses' is a direction of the checkpoint, which cannot be changed; use another name",
    ),
    413: ("too-large", "the body is larger than the limit of 33554432 bytes"),
    415: (
        "body-type",
        "text/plain is not accepted here; send multipart/form-data or application/json",
    ),
    422: ("invalid", "#/steps: Input should be greater than or equal to 2"),
    429: ("rate", "this key may make 60 requests a minute"),
    503: ("queue-full", "512 images are waiting; the queue holds 512"),
    504: ("deadline", "no response within 30 seconds"),
}

IMAGES: Json = {
    "model": "faces@0123456789ab",
    "detail": 1.0,
    "images": [IMAGE],
    "latents": [[0.12, -0.7, 1.03]],
    "seeds": [7],
}
ENCODED: Json = {
    "model": "faces@0123456789ab",
    "latents": [{"mean": [0.12, -0.7, 1.03], "logvar": [-3.1, -2.9, -3.4]}],
}
DIRECTION: Json = {
    "name": "glasses",
    "saved": False,
    "meaning": "glasses: from 0 to 1",
    "scale": 4.2,
    "method": "regression on age, glasses, male",
    "count": 13840,
    "kinds": 40,
}
SAVED_DIRECTION: Json = {
    "name": "round_frame",
    "saved": True,
    "meaning": "our round frame",
    "scale": 3.1,
    "method": "difference of means, age, male held",
    "count": 40,
    "kinds": 0,
}
DIRECTIONS: Json = {
    "model": "faces@0123456789ab",
    "complete": True,
    "directions": [DIRECTION, SAVED_DIRECTION],
}
SCORES: Json = {
    "model": "faces@0123456789ab",
    "scores": [
        {
            "mse": 0.0031,
            "distortion_nats": -268412.7,
            "kl_nats": 473.2,
            "elbo_nats": 267939.5,
            "percentile": 43.1,
        }
    ],
}
METRICS = 'lorgnette_http_requests_total{path="/sample",status="200"} 1.0\n'
MODEL: Json = {
    "name": "faces",
    "id": "faces@0123456789ab",
    "sha256": "0123456789ab" + 52 * "0",
    "device": "cpu",
    "config": {"family": "residual", "channels": 3, "size": 256, "latent_dim": 128},
    "parameters": 8500000,
    "max_detail": 1.0,
    "alignment_template": [
        [77.0, 74.0],
        [176.9, 75.4],
        [126.4, 134.3],
        [81.0, 176.9],
        [173.7, 177.2],
    ],
    "auxiliary_classifier": {
        "sha256": "ba9876543210" + 52 * "0",
        "labels": ["glasses"],
        "accuracy": {"glasses": 0.98},
    },
    "labels": ["age", "glasses", "male"],
    "directions": ["age", "glasses", "male"],
    "metrics": {"psnr_db": 24.5},
    "provenance": {"data": "faces.zip", "licence": "non-commercial research use only"},
}
RELOAD: Json = {
    "outcome": "reloaded",
    "former": "faces@fedcba987654",
    "workers": 1,
    "model": MODEL,
}
RELOAD_ERRORS = {
    403: ("local-only", "this needs a key of LORGNETTE_ADMIN_KEYS, which has none"),
    409: ("reload-failed", "models/faces/model.safetensors: truncated, or not a safetensors file"),
}
FACES: Json = {
    "images": [
        {
            "width": 512,
            "height": 512,
            "faces": [
                {
                    "box": [181.2, 59.7, 266.9, 174.2],
                    "score": 0.9994,
                    "landmarks": {
                        "left_eye": [204.0, 101.0],
                        "right_eye": [247.1, 103.5],
                        "nose": [225.2, 128.3],
                        "left_mouth_corner": [202.6, 140.1],
                        "right_mouth_corner": [244.7, 141.7],
                    },
                }
            ],
        }
    ]
}
