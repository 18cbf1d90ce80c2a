"""Which way a model is run on a device: the fastest that draws what plain float32 draws."""

import gc
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from app.inference.runners import (
    MAX_ABS_LATENT,
    CudaGraphRunner,
    EagerRunner,
    RangeGuardedRunner,
    Runner,
    batch_sizes,
)
from vae.latent import seeded_noise
from vae.model import VAE

PIXEL_TOLERANCE = 2  # by which half precision may differ from float32 ...
SHARE = 0.999  # ... in this share of the values
REDUCED_MAX_ABS_LATENT = 4.0  # value in a latent up to which bfloat16 draws some models well
LOGVAR_TOLERANCE = 0.05  # a variance may differ by a twentieth
REFERENCE_BATCH = 8  # pictures that float32 has memory for, whatever the largest batch is
COMPARED = 4  # pictures on the CPU at most, where larger batches run the same way
BFLOAT16 = ("avx512_bf16", "amx_bf16")  # CPUs that multiply bfloat16 faster than float32

log = logging.getLogger("lorgnette")


@dataclass(frozen=True)
class Candidate:
    """A way to run a model: what it is called, how it is made, and what it is good for."""

    name: str
    make: Callable[[], Runner]
    max_abs_latent: float = MAX_ABS_LATENT


def select_runner(
    plain: EagerRunner, model: VAE, most: int, ways: Sequence[Candidate] | None = None
) -> Runner:
    """The fastest way on a device that draws what float32 draws.

    Half precision is kept where 99.9% of the values stay within two grey levels, for decodes and
    for reconstructions, and as many variances within a twentieth; and only for latents as far out
    as that was seen to hold. On CUDA it is float16, which has three more bits for a picture than
    bfloat16, and what cannot be captured is run plainly. On the CPU it is bfloat16, where that is
    faster, and networks are traced.

    Args:
        plain: the float32 runner, which is the measure and the last resort.
        model: the model to run.
        most: the largest batch that is captured.
        ways: to try in turn; by default those of the device.
    """
    on_cuda = plain.device.type == "cuda"
    if ways is None:
        ways = cuda_candidates(plain, model, most) if on_cuda else cpu_candidates(plain, model)
    sizes = batch_sizes(most) if on_cuda else sorted({1, min(most, COMPARED)})
    for way in ways:
        if found := _if_matches(way, plain, model.config.latent_dim, sizes):
            return found
        gc.collect()  # a capture that failed may hold on to its memory in a cycle
        torch.cuda.empty_cache()
    return plain


def cuda_candidates(
    plain: EagerRunner,
    model: VAE,
    most: int,
    capture: Callable[[EagerRunner], Runner] | None = None,
) -> list[Candidate]:
    """In half precision and through graphs, as far as that is possible.

    Args:
        plain: the float32 runner.
        model: the model to run.
        most: the largest batch that is captured.
        capture: makes a runner of a plain one; by default ``CudaGraphRunner``.
    """
    config = model.config
    shape = (config.size, config.size, config.channels)
    capture = capture or (lambda runner: CudaGraphRunner(runner, shape, config.latent_dim, most))

    def half() -> EagerRunner:
        return EagerRunner(model, plain.device, torch.float16)

    return [
        Candidate(
            "torch.float16 through captured graphs",
            lambda: RangeGuardedRunner(capture(half()), plain),
        ),
        Candidate("torch.float16", lambda: RangeGuardedRunner(half(), plain)),
        Candidate("torch.float32 through captured graphs", lambda: capture(plain)),
    ]


def cpu_candidates(plain: EagerRunner, model: VAE) -> list[Candidate]:
    """Traced, and in half precision if the CPU has instructions for it."""

    def traced_in(dtype: torch.dtype) -> EagerRunner:
        return EagerRunner(model, plain.device, dtype, trace=True)

    def bounded(max_abs_latent: float) -> Runner:
        return RangeGuardedRunner(traced_in(torch.bfloat16), plain, max_abs_latent)

    has = torch.cpu.get_capabilities()
    halves = (
        (MAX_ABS_LATENT, REDUCED_MAX_ABS_LATENT)
        if any(has.get(name, False) for name in BFLOAT16)
        else ()
    )
    return [
        *(Candidate(f"torch.bfloat16 up to {far:g}", partial(bounded, far), far) for far in halves),
        Candidate("torch.float32", lambda: traced_in(torch.float32)),
    ]


def _if_matches(
    way: Candidate, plain: EagerRunner, dim: int, sizes: Sequence[int]
) -> Runner | None:
    """The runner, or None after a word in the log; nothing of it is kept then."""
    try:
        found = way.make()
        if matches_reference(found, plain, dim, sizes, way.max_abs_latent):
            log.info("run as %s", way.name)
            return found
        reason = f"answers differ, pictures by more than {PIXEL_TOLERANCE} grey levels"
    except RuntimeError as error:
        reason = str(error)
    log.info("not run as %s: %s", way.name, reason)
    return None


def matches_reference(
    runner: Runner,
    reference: Runner,
    dim: int,
    sizes: Sequence[int],
    max_abs_latent: float = MAX_ABS_LATENT,
) -> bool:
    """Whether a runner's decodes and encodes agree with the reference, see ``select_runner``.

    They are compared for batches of these sizes, on ordinary latents and on ones as far out.
    """
    noise = seeded_noise(range(max(sizes)), dim)
    far = max_abs_latent * noise.sign()
    return all(_agrees(runner, reference, z[:size]) for size in sizes for z in (noise, far))


def _agrees(runner: Runner, reference: Runner, latents: Tensor) -> bool:
    expected = _decoded(reference, latents)
    encoded = [reference.encode(part) for part in expected.split(REFERENCE_BATCH)]  # type: ignore[no-untyped-call]
    copies = _decoded(reference, torch.cat([mean for mean, _ in encoded]))
    mean, logvar = runner.encode(expected)
    apart = (logvar - torch.cat([logvar for _, logvar in encoded])).abs()
    return (
        bool(mean.isfinite().all())
        and _mostly(apart <= LOGVAR_TOLERANCE)  # NaN is not
        and _near(runner.decode(latents), expected)
        and _near(_decoded(reference, mean), copies)
    )


def _decoded(reference: Runner, latents: Tensor) -> Tensor:
    parts = latents.split(REFERENCE_BATCH)  # type: ignore[no-untyped-call]
    return torch.cat([reference.decode(part) for part in parts])


def _near(found: Tensor, expected: Tensor) -> bool:
    return _mostly((found.int() - expected.int()).abs() <= PIXEL_TOLERANCE)


def _mostly(true: Tensor) -> bool:
    return bool(true.float().mean() >= SHARE)
