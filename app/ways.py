"""Which way a model is run on a device: the fastest that draws what plain float32 draws."""

import gc
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from app.runner import FARTHEST, Bounded, Captured, Plain, Runner, batch_sizes
from vae.latent import normal
from vae.model import VAE

GREY_LEVELS = 2  # by which half precision may differ from float32 ...
SHARE = 0.999  # ... in this share of the values
NEARER = 4.0  # value in a latent up to which bfloat16 draws some models well
LOGVAR_APART = 0.05  # a variance may differ by a twentieth
AT_ONCE = 8  # pictures that float32 has memory for, whatever the largest batch is
COMPARED = 4  # pictures on the CPU at most, where larger batches run the same way
BFLOAT16 = ("avx512_bf16", "amx_bf16")  # CPUs that multiply bfloat16 faster than float32

log = logging.getLogger("lorgnette")


@dataclass(frozen=True)
class Way:
    """A way to run a model: what it is called, how it is made, and what it is good for."""

    name: str
    make: Callable[[], Runner]
    farthest: float = FARTHEST


def fastest(plain: Plain, model: VAE, most: int, ways: Sequence[Way] | None = None) -> Runner:
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
        ways = ways_on_cuda(plain, model, most) if on_cuda else ways_on_cpu(plain, model)
    sizes = batch_sizes(most) if on_cuda else sorted({1, min(most, COMPARED)})
    for way in ways:
        if found := _if_faithful(way, plain, model.config.latent_dim, sizes):
            return found
        gc.collect()  # a capture that failed may hold on to its memory in a cycle
        torch.cuda.empty_cache()
    return plain


def ways_on_cuda(
    plain: Plain, model: VAE, most: int, capture: Callable[[Plain], Runner] | None = None
) -> list[Way]:
    """In half precision and through graphs, as far as that is possible.

    Args:
        plain: the float32 runner.
        model: the model to run.
        most: the largest batch that is captured.
        capture: makes a runner of a plain one; by default ``Captured``.
    """
    config = model.config
    shape = (config.size, config.size, config.channels)
    capture = capture or (lambda runner: Captured(runner, shape, config.latent_dim, most))

    def half() -> Plain:
        return Plain(model, plain.device, torch.float16)

    return [
        Way("torch.float16 through captured graphs", lambda: Bounded(capture(half()), plain)),
        Way("torch.float16", lambda: Bounded(half(), plain)),
        Way("torch.float32 through captured graphs", lambda: capture(plain)),
    ]


def ways_on_cpu(plain: Plain, model: VAE) -> list[Way]:
    """Traced, and in half precision if the CPU has instructions for it."""

    def traced_in(dtype: torch.dtype) -> Plain:
        return Plain(model, plain.device, dtype, trace=True)

    def bounded(farthest: float) -> Runner:
        return Bounded(traced_in(torch.bfloat16), plain, farthest)

    has = torch.cpu.get_capabilities()
    halves = (FARTHEST, NEARER) if any(has.get(name, False) for name in BFLOAT16) else ()
    return [
        *(Way(f"torch.bfloat16 up to {far:g}", partial(bounded, far), far) for far in halves),
        Way("torch.float32", lambda: traced_in(torch.float32)),
    ]


def _if_faithful(way: Way, plain: Plain, dim: int, sizes: Sequence[int]) -> Runner | None:
    """The runner, or None after a word in the log; nothing of it is kept then."""
    try:
        found = way.make()
        if faithful(found, plain, dim, sizes, way.farthest):
            log.info("run as %s", way.name)
            return found
        reason = f"answers differ, pictures by more than {GREY_LEVELS} grey levels"
    except RuntimeError as error:
        reason = str(error)
    log.info("not run as %s: %s", way.name, reason)
    return None


def faithful(
    runner: Runner, reference: Runner, dim: int, sizes: Sequence[int], farthest: float = FARTHEST
) -> bool:
    """Whether a runner's decodes and encodes agree with the reference, see ``fastest``.

    They are compared for batches of these sizes, on ordinary latents and on ones as far out.
    """
    noise = normal(range(max(sizes)), dim)
    far = farthest * noise.sign()
    return all(_agrees(runner, reference, z[:size]) for size in sizes for z in (noise, far))


def _agrees(runner: Runner, reference: Runner, latents: Tensor) -> bool:
    expected = _decoded(reference, latents)
    encoded = [reference.encode(part) for part in expected.split(AT_ONCE)]  # type: ignore[no-untyped-call]
    copies = _decoded(reference, torch.cat([mean for mean, _ in encoded]))
    mean, logvar = runner.encode(expected)
    apart = (logvar - torch.cat([logvar for _, logvar in encoded])).abs()
    return (
        bool(mean.isfinite().all())
        and _mostly(apart <= LOGVAR_APART)  # NaN is not
        and _near(runner.decode(latents), expected)
        and _near(_decoded(reference, mean), copies)
    )


def _decoded(reference: Runner, latents: Tensor) -> Tensor:
    parts = latents.split(AT_ONCE)  # type: ignore[no-untyped-call]
    return torch.cat([reference.decode(part) for part in parts])


def _near(found: Tensor, expected: Tensor) -> bool:
    return _mostly((found.int() - expected.int()).abs() <= GREY_LEVELS)


def _mostly(true: Tensor) -> bool:
    return bool(true.float().mean() >= SHARE)
