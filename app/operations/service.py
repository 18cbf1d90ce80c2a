"""What each endpoint does: latent operations composed from two batched primitives."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from app.http.auth import ApiKeyAuth
from app.http.body_budget import BodyBudget
from app.http.schemas import (
    MAX_LATENT_VALUE,
    MAX_SEED,
    ArithmeticRequest,
    DecodeRequest,
    EncodeRequest,
    ImageOptions,
    InterpolateRequest,
    Operand,
    ReconstructRequest,
    ResizeOptions,
    SampleRequest,
)
from app.images import decoding as images
from app.images.provenance import ImageProvenance
from app.inference.engine import Pixels, Posterior
from app.inference.image_pool import ImagePool
from app.inference.registry import LoadedModel, Registry
from app.observability.metrics import Metrics
from app.observability.timing import Timing
from app.operations import expression
from app.settings import Settings
from vae import latent
from vae.directions import apply_directions

SMALL = 64  # a picture that takes up to this part of the memory for one is read when weighed,
LARGE = 8  # and one that takes more than this part when no other such one is

STOP_SECONDS = 5.0  # for the last calls of the models, whose requests are answered or given up

R = TypeVar("R")

log = logging.getLogger("lorgnette")


class OperandError(Exception):
    """A request whose operands do not fit the model or the expression.

    Attributes:
        pointer: to the field at fault.
    """

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(detail)
        self.pointer = pointer


class TooManyPicturesError(Exception):
    """More pictures or latents in one request than are taken."""


class PictureTooLargeError(Exception):
    """A picture of more bytes than are read."""


@dataclass(frozen=True)
class DecodedImage:
    """An outgoing picture, uint8 ``(S, S, C)``, with the latent ``(D,)`` it is the decode of."""

    pixels: Pixels
    latent: Tensor
    seed: int | None = None


class Service:
    """The loaded models and the threads for pictures; one async method an endpoint."""

    def __init__(self, settings: Settings, on_fatal: Callable[[], None]) -> None:
        self.settings = settings
        self.auth = ApiKeyAuth(settings.api_keys, settings.requests_per_minute)
        self.metrics = Metrics()
        self.bodies = BodyBudget(settings.max_total_body_bytes)
        self.models = Registry(settings, self.metrics, on_fatal)
        self.image_pool = ImagePool(settings.image_threads, settings.max_queue)

    async def start(self) -> None:
        """Load and warm up every model.

        Raises:
            CheckpointError: if a checkpoint cannot be used, or its name cannot.
        """
        await self.models.load(map(Path, self.settings.models))

    async def stop(self) -> None:
        """Finish what was accepted, then let the threads go; a call that hangs is left behind."""
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self.models.close()
        except TimeoutError:
            log.warning("a call of a model is still running; it is left behind")
        self.image_pool.close()

    async def encode(
        self, served: LoadedModel, request: EncodeRequest, timing: Timing
    ) -> list[Posterior]:
        """The posterior of each picture; always from the pixels, never from what they carry."""
        self._check_count(len(request.image))
        pictures = await self._read(served, request.image, request)
        return await served.encoder.run([p.pixels for p in pictures], timing)

    async def decode(
        self, served: LoadedModel, request: DecodeRequest, timing: Timing
    ) -> list[DecodedImage]:
        """The picture of each latent."""
        self._check_count(len(request.latents))
        latents = [
            _checked(values, served.dim, f"#/latents/{i}")
            for i, values in enumerate(request.latents)
        ]
        return await self._draw(served, latents, timing)

    async def reconstruct(
        self, served: LoadedModel, request: ReconstructRequest, timing: Timing
    ) -> list[DecodedImage]:
        """Each picture through the latent space and back; with ``compare``, after its original."""
        self._check_count(len(request.image))
        pictures = await self._read(served, request.image, request)
        latents = await self._latents(served, pictures, request, timing)
        drawn = await self._draw(served, latents, timing)
        if not request.compare:
            return drawn
        pairs = zip(pictures, drawn, strict=True)
        return [d for p, copy in pairs for d in (DecodedImage(p.pixels, copy.latent), copy)]

    async def sample(
        self, served: LoadedModel, request: SampleRequest, timing: Timing
    ) -> tuple[int, list[DecodedImage]]:
        """Pictures drawn from the prior, and the seed of the first."""
        self._check_count(request.n)
        seed = request.seed
        if seed is None:
            seed = secrets.randbelow(MAX_SEED - request.n + 1)
        seeds = range(seed, seed + request.n)
        if request.prior == "fitted":
            z = served.checkpoint.sample(seeds, request.temperature)
        else:
            z = request.temperature * latent.seeded_noise(seeds, served.dim)
        drawn = await self._draw(served, list(z), timing)
        return seed, [replace(d, seed=s) for d, s in zip(drawn, seeds, strict=True)]

    async def interpolate(
        self, served: LoadedModel, request: InterpolateRequest, timing: Timing
    ) -> list[DecodedImage]:
        """The path between two operands, both ends included."""
        self._check_count(request.steps)
        named = [("#/start", request.start), ("#/end", request.end)]
        (start, end), _ = await self._operands(served, named, request, timing)
        z = latent.path(start, end, request.steps, request.method)
        return await self._draw(served, list(z), timing)

    async def arithmetic(
        self, served: LoadedModel, request: ArithmeticRequest, timing: Timing
    ) -> DecodedImage:
        """The decode of a weighted sum of named means and directions."""
        terms = expression.parse(request.expression)
        used = {term.name for term in terms}
        for name in request.operands:
            if name not in used:
                raise OperandError(f"#/operands/{name}", f"the expression does not use {name!r}")
        directions = served.checkpoint.directions
        for name in used:
            if name not in request.operands and name not in directions:
                known = ", ".join(directions) or "none"
                raise OperandError(
                    "#/expression",
                    f"{name!r} is neither an operand that was sent nor a direction of this model "
                    f"(directions: {known})",
                )
        named = [
            (f"#/operands/{name}/{i}", operand)
            for name, group in request.operands.items()
            for i, operand in enumerate(group)
        ]
        self._check_count(max(1, len(named)))
        kept = _kept_operand(terms, request) if request.preserve else None
        latents, pictures = await self._operands(served, named, request, timing)
        groups = dict.fromkeys(request.operands, torch.zeros(served.dim))
        for (pointer, _), z in zip(named, latents, strict=True):
            name = pointer.split("/")[2]
            groups[name] = groups[name] + z / len(request.operands[name])
        means = [(t.weight, groups[t.name]) for t in terms if t.name in groups]
        edits = [(t.weight, directions[t.name]) for t in terms if t.name not in groups]
        edited = apply_directions(latent.weighted_sum(means, served.dim), edits)
        total = _checked(edited.tolist(), served.dim, "#/expression")
        if kept is None:
            return (await self._draw(served, [total], timing))[0]
        after, before = await self._draw(served, [total, groups[kept]], timing)
        original = pictures[f"#/operands/{kept}/0"]
        pixels = await self.image_pool.run(
            lambda: _preserve(after.pixels, before.pixels, original, request.preserve)
        )
        return DecodedImage(pixels, total)

    def _check_count(self, count: int) -> None:
        limit = self.settings.max_pictures
        if count > limit:
            raise TooManyPicturesError(f"{count} pictures or latents; one request takes {limit}")

    async def _read(
        self, served: LoadedModel, files: Sequence[bytes], reading: ResizeOptions
    ) -> list[images.InputImage]:
        config, settings = served.checkpoint.model.config, self.settings
        largest, limit = max(map(len, files), default=0), settings.max_picture_bytes
        if largest > limit:
            raise PictureTooLargeError(f"a picture has {largest} bytes; at most {limit} are read")
        most = settings.max_picture_memory
        limits = (settings.max_picture_pixels, most)

        def read(data: bytes) -> images.InputImage:
            return images.read(data, config.size, config.channels, reading.fit, *limits)

        def estimate_memory(data: bytes) -> tuple[int, images.InputImage | None]:
            weight = images.estimate_memory(data, config.size, *limits)
            return weight, read(data) if weight <= most // SMALL else None

        weighed = await self.image_pool.map(estimate_memory, files)
        together = sum(weight for weight, _ in weighed)
        if together > 2 * most:
            raise images.ImageTooLargeError(
                f"decoding these pictures takes {together} bytes; one request is given {2 * most}; "
                "send fewer at a time"
            )
        parts = {
            serial: [
                i
                for i, (weight, known) in enumerate(weighed)
                if known is None and (weight > most // LARGE) is serial
            ]
            for serial in (False, True)
        }
        pictures = {i: known for i, (_, known) in enumerate(weighed) if known is not None}
        for serial, numbers in parts.items():
            chosen = [files[i] for i in numbers]
            found = await self.image_pool.map(read, chosen, serial=serial)
            pictures |= dict(zip(numbers, found, strict=True))
        return [pictures[i] for i in range(len(files))]

    async def _latents(
        self,
        served: LoadedModel,
        pictures: Sequence[images.InputImage],
        reading: ImageOptions,
        timing: Timing,
    ) -> list[Tensor]:
        """The latent of each picture: the one it carries, or its encoded mean."""
        carried = [
            _origin(served, picture.provenance) if reading.embedded else None
            for picture in pictures
        ]
        unknown = [p.pixels for p, c in zip(pictures, carried, strict=True) if c is None]
        encoded = iter(await served.encoder.run(unknown, timing) if unknown else [])
        return [next(encoded).mean[0] if c is None else c for c in carried]

    async def _operands(
        self,
        served: LoadedModel,
        named: Sequence[tuple[str, Operand]],
        reading: ImageOptions,
        timing: Timing,
    ) -> tuple[list[Tensor], dict[str, Pixels]]:
        """The latent of each operand in order, and the pixels of those that are pictures."""
        latents: dict[str, Tensor] = {}
        files: dict[str, bytes] = {}
        for pointer, operand in named:
            if operand.image is not None:
                files[pointer] = operand.image
            elif operand.latent is not None:
                latents[pointer] = _checked(operand.latent, served.dim, f"{pointer}/latent")
            elif operand.seed is not None:
                latents[pointer] = served.checkpoint.sample([operand.seed])[0]
        pictures = await self._read(served, list(files.values()), reading)
        encoded = await self._latents(served, pictures, reading, timing)
        latents |= zip(files, encoded, strict=True)
        pixels = {k: p.pixels for k, p in zip(files, pictures, strict=True)}
        return [latents[pointer] for pointer, _ in named], pixels

    async def _draw(
        self, served: LoadedModel, latents: list[Tensor], timing: Timing
    ) -> list[DecodedImage]:
        pictures = await served.decoder.run(latents, timing)
        return [DecodedImage(p, z) for p, z in zip(pictures, latents, strict=True)]


def _origin(served: LoadedModel, origin: ImageProvenance | None) -> Tensor | None:
    """The latent that a picture of this very model carries, checked like any other."""
    if origin is None or origin.model != served.id:
        return None
    try:
        return _checked(origin.latent.tolist(), served.dim, "")
    except OperandError:
        return None


def _checked(values: list[float], dim: int, pointer: str) -> Tensor:
    if len(values) != dim:
        raise OperandError(pointer, f"the latent has {len(values)} values; this model has {dim}")
    tensor = torch.tensor(values, dtype=torch.float32)
    if not (tensor.abs() <= MAX_LATENT_VALUE).all():  # nor is NaN
        raise OperandError(pointer, f"the latent holds a value beyond {MAX_LATENT_VALUE:.0f}")
    return tensor


def _kept_operand(terms: Sequence[expression.Term], request: ArithmeticRequest) -> str:
    """The name whose picture ``preserve`` keeps: the first single picture with positive weight."""
    for term in terms:
        group = request.operands.get(term.name, [])
        if term.weight > 0 and len(group) == 1 and group[0].image is not None:
            return term.name
    raise OperandError(
        "#/preserve", "preserve needs a name with positive weight that is one picture"
    )


def _preserve(edited: Pixels, plain: Pixels, original: Pixels, share: float) -> Pixels:
    """``decode(z') + share * (x - decode(z))``, rounded and cut to 0..255."""
    lost = original.astype(np.float32) - plain.astype(np.float32)
    return (edited + share * lost).round().clip(0, 255).astype(np.uint8)
