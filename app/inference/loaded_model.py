"""A model that is loaded."""

from dataclasses import dataclass

from app.inference.batcher import Batcher
from app.inference.classifier_engine import OPERATION as CLASSIFY
from app.inference.classifier_engine import LoadedClassifier
from app.inference.engine import DecoderInput, Pixels, Posterior
from vae.checkpoint import Checkpoint

ENCODE, DECODE = "encode", "decode"
OPERATIONS = (ENCODE, DECODE, CLASSIFY)  # in metrics and spans


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model that is loaded, with its two batched primitives.

    A request uses one ``LoadedModel`` from its begin to its end. When the model is loaded again,
    the former one is released with the last request that uses it.

    Attributes:
        encoder: images, uint8 ``(S, S, C)``, to posteriors.
        decoder: latents with their detail to images, uint8 ``(S, S, C)``.
        classifier: of the attributes of its images, None if the checkpoint has none beside it.
    """

    name: str
    checkpoint: Checkpoint
    encoder: Batcher[Pixels, Posterior]
    decoder: Batcher[DecoderInput, Pixels]
    classifier: LoadedClassifier | None = None

    @property
    def id(self) -> str:
        """``NAME@SHA256-12``."""
        return f"{self.name}@{self.checkpoint.sha256[:12]}"

    @property
    def dim(self) -> int:
        """Length of a latent."""
        return self.checkpoint.model.config.latent_dim

    @property
    def max_detail(self) -> float:
        """1 for a model with a detail branch (see ``vae.detail``), else 0."""
        return self.checkpoint.model.max_detail

    @property
    def hashes(self) -> tuple[str, str]:
        """SHA-256 of the checkpoint and of the classifier, empty without one."""
        classifier = "" if self.classifier is None else self.classifier.classifier.sha256
        return self.checkpoint.sha256, classifier

    def waiting(self, operation: str) -> int:
        """The number of items that wait for one of ``OPERATIONS``."""
        queues = {ENCODE: self.encoder.waiting, DECODE: self.decoder.waiting}
        if self.classifier is not None:
            queues[CLASSIFY] = self.classifier.predictor.waiting
        return queues.get(operation, 0)

    async def close(self) -> None:
        """Finish what was accepted, and accept no more."""
        await self.encoder.close()
        await self.decoder.close()
        if self.classifier is not None:
            await self.classifier.predictor.close()
