"""All settings, read from the environment once and passed on."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.setting_types import DatabaseUrl, KeyHashes, Names, Networks, Origins, is_loopback

PREFIX = "LORGNETTE_"
INTERNAL = {"worker_dir"}  # set by the supervisor for its workers


class Settings(BaseSettings):
    """Each field is set by the environment variable ``LORGNETTE_`` plus its name in capitals."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    models: Names = Field(
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
    directions_database: DatabaseUrl = Field(
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
        512, ge=1, description="Maximum images that wait for a model's encoder, or for its decoder."
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
            "take twice as much together; large ones are decoded one at a time. AVIF, HEIC and "
            "larger WebP are decoded in a process of its own, which may take four times as much, "
            "and 80 MiB for itself."
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
    keep_alive_seconds: int = Field(
        5,
        ge=1,
        description=(
            "Time that an idle connection is kept open, in seconds. Behind a proxy: longer than "
            "the proxy keeps its idle connections, or it may send a request to one that is closed."
        ),
    )
    root_path: str = Field(
        "",
        pattern="^(/[A-Za-z0-9._~-]+)*$",
        description=(
            "Path under which a proxy publishes the service, such as `/lorgnette`; the proxy "
            "removes it from the requests. `/openapi.json` names it as its server."
        ),
    )
    trusted_proxies: Networks = Field(
        (),
        description=(
            "Addresses and networks of proxies, separated by commas, whose `X-Forwarded-For` and "
            "`X-Forwarded-Proto` are believed; those of others are ignored."
        ),
    )
    api_keys: KeyHashes = Field(
        (),
        description=(
            "SHA-256 hashes of the API keys, in hexadecimal, separated by commas. Clients send "
            "`Authorization: Bearer KEY`. Health checks need no key. `NAME:HASH` names a key in "
            "the log; one without a name is named by the first 8 digits of its hash."
        ),
    )
    read_only_api_keys: KeyHashes = Field(
        (), description="Further API keys, which may not save or delete directions."
    )
    metrics_keys: KeyHashes = Field(
        (),
        description=(
            "Keys for `/metrics`, written like API keys; then it accepts no others. Without any it "
            "needs no key from a loopback address, and an API key, if there are any, from others."
        ),
    )
    admin_keys: KeyHashes = Field(
        (),
        description="Keys for loading models again, written like API keys; if none, this machine.",
    )
    requests_per_minute: int = Field(
        0, ge=0, description="Maximum requests of one API key in any 60 seconds; 0 is no limit."
    )
    allow_anonymous: bool = Field(
        False, description="Allow an address that other machines can reach without API keys."
    )
    cors_origins: Origins = Field(
        (),
        description=(
            "Origins whose pages may use the service from a browser, separated by commas, such as "
            "`https://shop.example`; `*` is every origin."
        ),
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
    drain_seconds: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description=(
            "Time after SIGTERM in which the service is not ready (503) but still accepts "
            "requests, in seconds, so that load balancers stop sending them. Then follows "
            "`LORGNETTE_GRACEFUL_SHUTDOWN_SECONDS`."
        ),
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

    @property
    def needs_key(self) -> bool:
        """Whether requests need an API key."""
        return bool(self.api_keys or self.read_only_api_keys)

    @model_validator(mode="after")
    def _check_anonymous_access(self) -> Self:
        local = self.host == "localhost" or is_loopback(self.host)
        if not (local or self.needs_key or self.allow_anonymous):
            raise ValueError(
                f"host {self.host} is open to other machines: set LORGNETTE_API_KEYS, or "
                "LORGNETTE_ALLOW_ANONYMOUS=true to serve everybody"
            )
        return self

    @model_validator(mode="after")
    def _check_limits(self) -> Self:
        if self.requests_per_minute and not self.needs_key:
            raise ValueError("requests_per_minute limits each API key: set api_keys too")
        for name in ("max_queue", "max_image_queue"):
            if getattr(self, name) < self.max_images:
                raise ValueError(
                    f"{name} ({getattr(self, name)}) must hold one whole request of "
                    f"max_images ({self.max_images})"
                )
        return self
