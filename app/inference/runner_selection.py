"""Selects how to run a model on a device: the fastest runner that matches plain float32."""

import gc
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache, partial

import torch
from torch import Tensor

from app.inference.cuda_graphs import CudaGraphRunner, batch_sizes
from app.inference.runners import MAX_ABS_LATENT, EagerRunner, RangeGuardedRunner, Runner
from app.inference.traced_networks import TracedNetworks
from vae.latent import seeded_noise
from vae.model import VAE

PIXEL_TOLERANCE = 2  # grey levels by which half precision may differ from float32
LOGVAR_TOLERANCE = 0.05  # a variance may differ by a twentieth
MIN_MATCH_FRACTION = 0.999  # of the values that must be within these tolerances
REDUCED_MAX_ABS_LATENTS = (8.0, 4.0)  # for bfloat16 and models that do not match further out
REFERENCE_BATCH = 8  # images that float32 has memory for, whatever the largest batch is
MAX_CHECK_BATCH = 4  # on the CPU, where larger batches run the same way
BFLOAT16_FEATURES = ("avx512_bf16", "amx_bf16")  # of CPUs that multiply it faster than float32

log = logging.getLogger("lorgnette")


@dataclass(frozen=True)
class Candidate:
    """A runner to try.

    Attributes:
        name: for the log.
        make: builds the runner.
        max_abs_latent: largest absolute value in a latent for which it is used.
    """

    name: str
    make: Callable[[], Runner]
    max_abs_latent: float = MAX_ABS_LATENT


def select_runner(
    reference: EagerRunner,
    model: VAE,
    max_batch: int,
    candidates: Sequence[Candidate] | None = None,
    graphs: TracedNetworks | None = None,
) -> Runner:
    """The first candidate that matches the reference, or the reference.

    Half precision matches if 99.9% of the pixels are within two grey levels, for decodes and for
    reconstructions, and as many variances within a twentieth. It is used for latents of the range
    that was checked. On CUDA it is float16, which has three bits more for a pixel than bfloat16; a
    model that cannot be captured as a graph runs eagerly. On the CPU it is bfloat16, where that is
    faster, and networks are traced.

    Args:
        reference: the float32 runner.
        model: the model to run.
        max_batch: the largest batch to check, on CUDA also to capture.
        candidates: in order of preference; by default those of the device.
        graphs: traces networks on a CPU; by default, those of no other model.
    """
    on_cuda = reference.device.type == "cuda"
    if candidates is None:
        candidates = (
            cuda_candidates(reference, model, max_batch)
            if on_cuda
            else cpu_candidates(reference, model, graphs or TracedNetworks())
        )
    sizes = batch_sizes(max_batch) if on_cuda else sorted({1, min(max_batch, MAX_CHECK_BATCH)})
    for candidate in candidates:
        if runner := _make_matching(candidate, reference, model, sizes):
            return runner
        gc.collect()  # a failed capture may hold on to its memory in a reference cycle
        torch.cuda.empty_cache()
    return reference


def cuda_candidates(
    reference: EagerRunner,
    model: VAE,
    max_batch: int,
    capture: Callable[[EagerRunner], Runner] | None = None,
) -> list[Candidate]:
    """Half precision and CUDA graphs, then one of the two.

    Args:
        reference: the float32 runner.
        model: the model to run.
        max_batch: the largest batch to capture.
        capture: makes a graph runner of an eager one; by default ``CudaGraphRunner``.
    """
    config = model.config
    shape = (config.size, config.size, config.channels)
    capture = capture or (
        lambda runner: CudaGraphRunner(
            runner, shape, config.latent_dim, max_batch, model.detail is not None
        )
    )

    def half() -> EagerRunner:
        return EagerRunner(model, reference.device, torch.float16)

    return [
        Candidate(
            "torch.float16 with CUDA graphs",
            lambda: RangeGuardedRunner(capture(half()), reference),
        ),
        Candidate("torch.float16", lambda: RangeGuardedRunner(half(), reference)),
        Candidate("torch.float32 with CUDA graphs", lambda: capture(reference)),
    ]


def cpu_candidates(reference: EagerRunner, model: VAE, graphs: TracedNetworks) -> list[Candidate]:
    """Traced networks, in bfloat16 if the CPU has instructions for it, then in float32."""

    @cache  # the ranges of latents share a traced network
    def traced(dtype: torch.dtype) -> EagerRunner:
        return EagerRunner(model, reference.device, dtype, graphs)

    def half(max_abs_latent: float) -> Runner:
        return RangeGuardedRunner(traced(torch.bfloat16), reference, max_abs_latent)

    features = torch.cpu.get_capabilities()
    has_bfloat16 = any(features.get(name, False) for name in BFLOAT16_FEATURES)
    ranges = (MAX_ABS_LATENT, *REDUCED_MAX_ABS_LATENTS) if has_bfloat16 else ()
    return [
        *(
            Candidate(f"torch.bfloat16 for latents up to {limit:g}", partial(half, limit), limit)
            for limit in ranges
        ),
        Candidate("torch.float32", lambda: traced(torch.float32)),
    ]


def _make_matching(
    candidate: Candidate, reference: EagerRunner, model: VAE, sizes: Sequence[int]
) -> Runner | None:
    """The runner, or None if it cannot be made or does not match; the log says which."""
    try:
        runner = candidate.make()
        checks = (model.config.latent_dim, sizes, candidate.max_abs_latent, {0.0, model.max_detail})
        if matches_reference(runner, reference, *checks):
            log.info("the model runs as %s", candidate.name)
            return runner
        reason = f"results differ, images by more than {PIXEL_TOLERANCE} grey levels"
    except RuntimeError as error:
        reason = str(error)
    log.info("the model does not run as %s: %s", candidate.name, reason)
    return None


def matches_reference(
    runner: Runner,
    reference: Runner,
    dim: int,
    sizes: Sequence[int],
    max_abs_latent: float = MAX_ABS_LATENT,
    details: Collection[float] = (0.0,),
) -> bool:
    """Whether decodes and encodes agree with the reference, within the tolerances above.

    Args:
        runner: to check.
        reference: the float32 runner.
        dim: length of a latent.
        sizes: of the batches to check.
        max_abs_latent: besides standard normal latents, those whose values all are of this
            magnitude are checked.
        details: of the decodes to check.
    """
    noise = seeded_noise(range(max(sizes)), dim)
    extremes = max_abs_latent * noise.sign()
    return all(  # what is likeliest to differ comes first
        _agrees(runner, reference, z[:size], torch.full((size,), detail))
        for z in (extremes, noise)
        for detail in sorted(details, reverse=True)
        for size in sizes
    )


def _agrees(runner: Runner, reference: Runner, latents: Tensor, detail: Tensor) -> bool:
    expected = _decode_in_parts(reference, latents, detail)
    encoded = [reference.encode(part) for part in expected.split(REFERENCE_BATCH)]  # type: ignore[no-untyped-call]
    means = torch.cat([mean for mean, _ in encoded])
    reconstructed = _decode_in_parts(reference, means, detail)
    mean, logvar = runner.encode(expected)
    difference = (logvar - torch.cat([logvar for _, logvar in encoded])).abs()
    return (
        bool(mean.isfinite().all())
        and _nearly_all(difference <= LOGVAR_TOLERANCE)  # false for NaN
        and _pixels_match(runner.decode(latents, detail), expected)
        and _pixels_match(_decode_in_parts(reference, mean, detail), reconstructed)
    )


def _decode_in_parts(reference: Runner, latents: Tensor, detail: Tensor) -> Tensor:
    starts = range(0, len(latents), REFERENCE_BATCH)
    parts = [slice(i, i + REFERENCE_BATCH) for i in starts]
    return torch.cat([reference.decode(latents[part], detail[part]) for part in parts])


def _pixels_match(actual: Tensor, expected: Tensor) -> bool:
    return _nearly_all((actual.int() - expected.int()).abs() <= PIXEL_TOLERANCE)


def _nearly_all(matches: Tensor) -> bool:
    return bool(matches.float().mean() >= MIN_MATCH_FRACTION)
