"""The synchronous client."""

from types import TracebackType
from typing import Any, Self, Unpack, overload

from lorgnette_client import calls
from lorgnette_client.admin_methods import AdminMethods
from lorgnette_client.connection import connection
from lorgnette_client.direction_methods import DirectionMethods
from lorgnette_client.operands import NO_OPERANDS, Group, Latents, NamedGroups
from lorgnette_client.options import (
    ArithmeticOptions,
    Axis,
    EncodeOptions,
    Format,
    GridOptions,
    InpaintOptions,
    PathOptions,
    PhotographFormat,
    ReconstructOptions,
    SampleOptions,
    ScoreOptions,
    SequenceOptions,
)
from lorgnette_client.pictures import Picture, Pictures
from lorgnette_client.results import (
    Edit,
    Images,
    ModelInfo,
    Photograph,
    Posteriors,
    Scores,
)
from lorgnette_client.retries import DEFAULT, Retries
from lorgnette_client.transport import Transport


class Client(AdminMethods, DirectionMethods):
    """A client of a service, which threads may share.

    Use it in ``with``, or call ``close`` when it is no longer needed.

    Each endpoint is a method. Its keyword options are in ``lorgnette_client.options``. With
    ``format``, the result is the bytes of the response in this form.

    Args:
        url: of the service; if None, ``LORGNETTE_URL``, else ``http://127.0.0.1:8000``.
        api_key: if None, ``LORGNETTE_API_KEY``, else none.
        timeout: seconds that the service may be silent.
        retries: of requests that the service is too busy for, or that do not reach it.

    Every method raises:
        LorgnetteError: if the response is an error.
        httpx.TransportError: if there is no response.
        OSError, TypeError, ValueError: if an image or latent that is passed cannot be sent.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        timeout: float = 60.0,
        retries: Retries = DEFAULT,
    ) -> None:
        self._transport = Transport(connection(url, api_key), timeout, retries)

    @overload
    def encode(
        self, pictures: Pictures, *, format: None = None, **options: Unpack[EncodeOptions]
    ) -> Posteriors: ...
    @overload
    def encode(
        self, pictures: Pictures, *, format: Format, **options: Unpack[EncodeOptions]
    ) -> bytes: ...
    def encode(
        self, pictures: Pictures, *, format: Format | None = None, **options: Any
    ) -> Posteriors | bytes:
        """The posterior of each image; as images, the reconstructions."""
        return self._transport.send(calls.encode, pictures, format, options)

    @overload
    def decode(
        self, latents: Latents, *, format: None = None, **options: Unpack[SequenceOptions]
    ) -> Images: ...
    @overload
    def decode(
        self, latents: Latents, *, format: Format, **options: Unpack[SequenceOptions]
    ) -> bytes: ...
    def decode(
        self, latents: Latents, *, format: Format | None = None, **options: Any
    ) -> Images | bytes:
        """The image of each latent ``(N, D)``, or of one ``(D,)``."""
        return self._transport.send(calls.decode, latents, format, options)

    @overload
    def reconstruct(
        self, pictures: Pictures, *, format: None = None, **options: Unpack[ReconstructOptions]
    ) -> Images: ...
    @overload
    def reconstruct(
        self, pictures: Pictures, *, format: Format, **options: Unpack[ReconstructOptions]
    ) -> bytes: ...
    def reconstruct(
        self, pictures: Pictures, *, format: Format | None = None, **options: Any
    ) -> Images | bytes:
        """Each image, encoded and decoded again."""
        return self._transport.send(calls.reconstruct, pictures, format, options)

    @overload
    def sample(self, *, format: None = None, **options: Unpack[SampleOptions]) -> Images: ...
    @overload
    def sample(self, *, format: Format, **options: Unpack[SampleOptions]) -> bytes: ...
    def sample(self, *, format: Format | None = None, **options: Any) -> Images | bytes:
        """New images; the same seed gives the same image."""
        return self._transport.send(calls.sample, format, options)

    @overload
    def interpolate(
        self, start: Group, end: Group, *, format: None = None, **options: Unpack[PathOptions]
    ) -> Images: ...
    @overload
    def interpolate(
        self, start: Group, end: Group, *, format: Format, **options: Unpack[PathOptions]
    ) -> bytes: ...
    def interpolate(
        self, start: Group, end: Group, *, format: Format | None = None, **options: Any
    ) -> Images | bytes:
        """A path from one operand to another, through those of ``via``; both ends are included."""
        return self._transport.send(calls.interpolate, start, end, format, options)

    @overload
    def traverse(
        self, operand: Group, along: Axis, *, format: None = None, **options: Unpack[GridOptions]
    ) -> Images: ...
    @overload
    def traverse(
        self, operand: Group, along: Axis, *, format: Format, **options: Unpack[GridOptions]
    ) -> bytes: ...
    def traverse(
        self, operand: Group, along: Axis, *, format: Format | None = None, **options: Any
    ) -> Images | bytes:
        """An operand, changed along a direction, or along the principal axis of a number."""
        return self._transport.send(calls.traverse, operand, along, format, options)

    @overload
    def arithmetic(
        self,
        expression: str,
        operands: NamedGroups = NO_OPERANDS,
        *,
        format: None = None,
        **options: Unpack[ArithmeticOptions],
    ) -> Edit: ...
    @overload
    def arithmetic(
        self,
        expression: str,
        operands: NamedGroups = NO_OPERANDS,
        *,
        format: PhotographFormat,
        **options: Unpack[ArithmeticOptions],
    ) -> bytes: ...
    def arithmetic(
        self,
        expression: str,
        operands: NamedGroups = NO_OPERANDS,
        *,
        format: PhotographFormat | None = None,
        **options: Any,
    ) -> Edit | bytes:
        """The image of a sum such as ``men - women + her`` of operands and directions."""
        return self._transport.send(calls.arithmetic, expression, operands, format, options)

    @overload
    def inpaint(
        self,
        picture: Picture,
        mask: Picture,
        *,
        format: None = None,
        **options: Unpack[InpaintOptions],
    ) -> Images: ...
    @overload
    def inpaint(
        self, picture: Picture, mask: Picture, *, format: Format, **options: Unpack[InpaintOptions]
    ) -> bytes: ...
    def inpaint(
        self, picture: Picture, mask: Picture, *, format: Format | None = None, **options: Any
    ) -> Images | bytes:
        """An image whose part that is white in the mask is filled in; the rest is kept."""
        return self._transport.send(calls.inpaint, picture, mask, format, options)

    def score(self, pictures: Pictures, **options: Unpack[ScoreOptions]) -> Scores:
        """How well the model explains each image, and how unusual it is."""
        return self._transport.send(calls.score, pictures, options)

    def faces(self, pictures: Pictures) -> tuple[Photograph, ...]:
        """The faces in each photograph."""
        return self._transport.send(calls.faces, pictures)

    def models(self) -> tuple[ModelInfo, ...]:
        """The loaded models, the default first."""
        return self._transport.send(calls.models)

    def model(self, name: str) -> ModelInfo:
        """One loaded model."""
        return self._transport.send(calls.model, name)

    def live(self) -> None:
        """Return if the process of the service responds."""
        self._transport.send(calls.live)

    def ready(self) -> bool:
        """Whether the models are loaded and can be used."""
        return self._transport.send(calls.ready)

    def metrics(self) -> str:
        """What Prometheus reads of the service, in its text format."""
        return self._transport.send(calls.metrics)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
