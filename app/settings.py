"""All settings, read from the environment once and passed on."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

PREFIX = "LORGNETTE_"
INTERNAL = {"worker_dir"}  # set by the supervisor for its workers


class Settings(BaseSettings):
    """Each field is set by the environment variable ``LORGNETTE_`` plus its name in capitals."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    models: Annotated[tuple[str, ...], NoDecode] = Field(
        ("models/faces",),
        min_length=1,
        description=(
            "Checkpoints to serve, separated by commas: folders that contain `model.safetensors`, "
            "or `.safetensors` files. A model is named after its folder or file; the first is the "
            "default."
        ),
    )
    face_detector: str = Field(
        "models/face_detector",
        min_length=1,
        description=(
            "Folder with the weights of the face detector, `model.safetensors`; looked for in the "
            "working folder, then where Lorgnette is."
        ),
    )
    directions_database: str = Field(
        "sqlite:///directions.sqlite3",
        description=(
            "Database of the directions that users save: `sqlite:///FILE`, which is created when "
            "the first one is saved, or `postgresql://USER:PASSWORD@HOST/NAME`, which several "
            "machines can share."
        ),
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto",
        description="Device that runs the models; `auto` is CUDA if available, else the CPU.",
    )
    deterministic: bool = Field(
        False,
        description=(
            "Run every image as a batch of one in float32, so that the same request always gives "
            "the same bytes, whatever else is running. Slower."
        ),
    )
    workers: int = Field(
        1,
        ge=1,
        le=64,
        description=(
            "Worker processes that share the port, each with its own models, queues and memory "
            "limits: one for each GPU, or a split of the CPU cores. Also `--workers`."
        ),
    )
    max_batch: int = Field(16, ge=1, le=1024, description="Maximum images in one model call.")
    max_queue: int = Field(
        512,
        ge=1,
        description="Maximum images waiting for the encoder, and for the decoder, of each model.",
    )
    max_image_queue: int = Field(
        512, ge=1, description="Maximum images waiting to be decoded or encoded as image files."
    )
    model_threads: int = Field(
        0, ge=0, description="CPU threads that run the models; 0 is PyTorch's default."
    )
    image_threads: int = Field(
        2, ge=1, le=256, description="Threads that decode and encode image files."
    )
    max_body_bytes: int = Field(
        32 * 2**20, ge=1, description="Maximum size of a request body, in bytes."
    )
    max_image_bytes: int = Field(
        16 * 2**20, ge=1, description="Maximum size of one image file, in bytes."
    )
    max_image_pixels: int = Field(
        40_000_000, ge=1, description="Maximum pixels (width times height) of an image."
    )
    max_image_memory: int = Field(
        96 * 2**20,
        ge=2**20,
        description=(
            "Maximum memory to decode one image, in bytes. A pixel takes 4 bytes, 12 in a "
            "compressed TIFF, 20 in a WebP, 6 in a progressive JPEG; other JPEGs take little, "
            "because they are decoded at the size that is needed. The images of one request may "
            "take twice as much together; large ones are decoded one at a time."
        ),
    )
    max_images: int = Field(
        64, ge=1, le=4096, description="Maximum images or latents in one request."
    )
    max_header_bytes: int = Field(
        65_536, ge=1024, description="Maximum size of request line and headers together, in bytes."
    )
    max_total_body_bytes: int = Field(
        268_435_456,
        ge=1024,
        description=(
            "Maximum size of the bodies of all current requests together, in bytes; a request "
            "beyond it gets 503."
        ),
    )
    header_timeout_seconds: float = Field(
        10.0,
        gt=0,
        description=(
            "Time to receive the request line and headers, in seconds; then the connection is "
            "closed, with 408 if a part has arrived. Also the time after which a client that reads "
            "nothing of its response is disconnected."
        ),
    )
    api_keys: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description=(
            "SHA-256 hashes of the API keys, in hexadecimal, separated by commas. Clients send "
            "`Authorization: Bearer KEY`. Health checks need no key."
        ),
    )
    requests_per_minute: int = Field(
        0,
        ge=0,
        description=(
            "Maximum requests of one API key in any 60 seconds, over all workers; 0 is no limit."
        ),
    )
    allow_anonymous: bool = Field(
        False, description="Allow an address that other machines can reach without API keys."
    )
    request_timeout_seconds: float = Field(
        30.0,
        gt=0,
        description=(
            "Time for a whole request, its body included, in seconds; then it gets 504 (408 while "
            "its body is being received), and its queued work is dropped."
        ),
    )
    inference_timeout_seconds: float = Field(
        60.0,
        gt=0,
        description=(
            "Time for one model call, in seconds. Then its requests get 503, and a new thread "
            "replaces the one that hangs; after four timeouts in a row the process exits with "
            "status 1."
        ),
    )
    graceful_shutdown_seconds: int = Field(
        30, ge=0, description="Time for accepted requests to finish after SIGTERM, in seconds."
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="Format of the log: `text`, or one JSON object a line."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Lowest level that is logged."
    )
    worker_dir: Path | None = Field(
        None, description="Folder that all workers share; set by the supervisor, not by users."
    )

    @field_validator("models", "api_keys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("api_keys")
    @classmethod
    def _check_api_keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch("[0-9a-f]{64}", text) for text in value):
            raise ValueError("each key is given by its SHA-256 hash, 64 hexadecimal digits")
        return value

    @field_validator("directions_database")
    @classmethod
    def _check_database(cls, value: str) -> str:
        try:
            url = make_url(value)
        except (ArgumentError, ValueError):
            raise ValueError("must be a URL such as sqlite:///directions.sqlite3") from None
        if url.drivername not in ("sqlite", "postgresql"):
            raise ValueError(
                f"begins with {url.drivername}://; it must begin with sqlite:/// or postgresql://"
            )
        if url.drivername == "sqlite" and url.database in (None, "", ":memory:"):
            raise ValueError("names no file, as in sqlite:///directions.sqlite3")
        return value

    @model_validator(mode="after")
    def _check_anonymous_access(self) -> Self:
        local = self.host == "localhost" or _is_loopback(self.host)
        if not (local or self.api_keys or self.allow_anonymous):
            raise ValueError(
                f"host {self.host} is open to other machines: set LORGNETTE_API_KEYS, or "
                "LORGNETTE_ALLOW_ANONYMOUS=true to serve everybody"
            )
        return self

    @model_validator(mode="after")
    def _check_rate_limit(self) -> Self:
        if self.requests_per_minute and not self.api_keys:
            raise ValueError("requests_per_minute limits each API key: set api_keys too")
        return self

    @model_validator(mode="after")
    def _check_queues(self) -> Self:
        for name in ("max_queue", "max_image_queue"):
            if getattr(self, name) < self.max_images:
                raise ValueError(
                    f"{name} ({getattr(self, name)}) must hold one whole request of "
                    f"max_images ({self.max_images})"
                )
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
