"""All settings, read from the environment once and handed on."""

import ipaddress
import re
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Settings(BaseSettings):
    """Each field is set by the environment variable ``LORGNETTE_`` plus its name in capitals."""

    model_config = SettingsConfigDict(
        env_prefix="LORGNETTE_", frozen=True, extra="forbid", hide_input_in_errors=True
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    models: Annotated[tuple[str, ...], NoDecode] = Field(
        ("models/faces",),
        min_length=1,
        description=(
            "Checkpoints to serve, separated by commas: folders that hold `model.safetensors`, or "
            "`.safetensors` files. A model is named after its folder or file; the first is the "
            "default."
        ),
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where models run; `auto` takes CUDA when there is a device."
    )
    deterministic: bool = Field(
        False,
        description=(
            "Run every picture as a batch of one in float32, so that the same request gives the "
            "same bytes whatever else is served at the time. Slower."
        ),
    )
    workers: int = Field(
        1,
        ge=1,
        le=64,
        description=(
            "Processes that share the port, each with its own models, queue and limits: one for "
            "each GPU, or to share out the cores of a CPU. Also `--workers`."
        ),
    )
    max_batch: int = Field(16, ge=1, le=1024, description="Most pictures in one model call.")
    max_queue: int = Field(
        512, ge=1, description="Most pictures waiting for the encoder, and for the decoder."
    )
    model_threads: int = Field(
        0, ge=0, description="CPU threads that run the models; 0 leaves it to PyTorch."
    )
    image_threads: int = Field(
        2, ge=1, le=256, description="Threads that read pictures and write PNGs."
    )
    max_body_bytes: int = Field(32 * 2**20, ge=1, description="Largest request body, in bytes.")
    max_picture_bytes: int = Field(
        16 * 2**20, ge=1, description="Largest single picture as sent, in bytes."
    )
    max_picture_pixels: int = Field(
        40_000_000, ge=1, description="Most pixels (width times height) of a picture sent."
    )
    max_picture_memory: int = Field(
        96 * 2**20,
        ge=2**20,
        description=(
            "Most memory, in bytes, that decoding a picture may take. A pixel takes 4 of them, 12 "
            "in a compressed TIFF, 20 in a WebP, 6 in a progressive JPEG; other JPEGs take little, "
            "since they are decoded at the size that is needed. The pictures of one request may "
            "come to twice as much; large ones are decoded one after the other."
        ),
    )
    max_pictures: int = Field(
        64, ge=1, le=4096, description="Most pictures or latents in one request."
    )
    max_header_bytes: int = Field(
        65_536, ge=1024, description="Longest request line and headers together, in bytes."
    )
    max_total_body_bytes: int = Field(
        268_435_456,
        ge=1024,
        description=(
            "Most bytes of the bodies of all requests in hand together; what is beyond gets 503."
        ),
    )
    header_timeout_seconds: float = Field(
        10.0,
        gt=0,
        description=(
            "Most seconds until a connection has sent a whole request line and headers; then it is "
            "closed, with 408 where some had come. Also most seconds in which a client may take "
            "nothing of an answer that waits for it."
        ),
    )
    api_keys: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description=(
            "SHA-256 hashes of the keys that are let in, in hexadecimal and separated by commas. "
            "Clients send `Authorization: Bearer KEY`. Health checks need no key."
        ),
    )
    requests_per_minute: int = Field(
        0, ge=0, description="Most requests of one key in any 60 seconds; 0 is no limit."
    )
    allow_anonymous: bool = Field(
        False, description="Listen on more than this machine although there are no keys."
    )
    request_timeout_seconds: float = Field(
        30.0,
        gt=0,
        description=(
            "Most seconds that a request may take, its body included; then it is given up with 504 "
            "(408 while its body is still on its way), and what it had queued is not run."
        ),
    )
    inference_timeout_seconds: float = Field(
        60.0,
        gt=0,
        description=(
            "Most seconds that one model call may take. Then its requests get 503 and the model a "
            "new thread; the fourth time in a row the process ends with status 1."
        ),
    )
    graceful_shutdown_seconds: int = Field(
        30, ge=0, description="On SIGTERM, seconds that accepted requests are given to finish."
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="Form of the log: lines for a person, or one JSON object a line."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe level that is logged."
    )

    @field_validator("models", "api_keys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("api_keys")
    @classmethod
    def _hashes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch("[0-9a-f]{64}", text) for text in value):
            raise ValueError("each key is given by its SHA-256 hash, 64 hexadecimal digits")
        return value

    @model_validator(mode="after")
    def _open_to_others_only_if_meant(self) -> Self:
        local = self.host == "localhost" or _is_loopback(self.host)
        if not (local or self.api_keys or self.allow_anonymous):
            raise ValueError(
                f"host {self.host} is open to other machines: set LORGNETTE_API_KEYS, or "
                "LORGNETTE_ALLOW_ANONYMOUS=true to let everybody in"
            )
        return self

    @model_validator(mode="after")
    def _rates_are_those_of_keys(self) -> Self:
        if self.requests_per_minute and not self.api_keys:
            raise ValueError("requests_per_minute counts those of each key: set api_keys too")
        return self

    @model_validator(mode="after")
    def _queue_holds_a_request(self) -> Self:
        if self.max_queue < self.max_pictures:
            raise ValueError(
                f"max_queue ({self.max_queue}) must hold one whole request of "
                f"max_pictures ({self.max_pictures})"
            )
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
