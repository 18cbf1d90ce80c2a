"""How the images of a response are drawn: its format, their size, quality and speed."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from app.http.body import InvalidError
from app.http.negotiation import APNG, FORMATS, GIF, JPEG, JSON, PNG, WEBP, ZIP
from app.http.option_schemas import ModelRequest, SequenceRequest
from app.images.animation import DEFAULT_FPS, Animation
from app.images.encoding import DEFAULT_QUALITY, Encoding, FileFormat
from app.images.errors import ImageTooLargeError

LOSSY: dict[str, FileFormat] = {JPEG: "jpeg", WEBP: "webp"}
ANIMATED = (GIF, APNG)
STREAMED = (*ANIMATED, ZIP)  # responses that begin before their last image is decoded
DRAWN = (PNG, JPEG, WEBP, GIF, APNG, ZIP, JSON)
BYTES_PER_PIXEL = 3  # of a compressed RGB image, at most
# The media types that an option is for; with others it is an error.
OPTIONS: dict[str, tuple[str, ...]] = {
    "size": DRAWN,
    "quality": tuple(LOSSY),
    "fps": ANIMATED,
    "loop": ANIMATED,
    "bounce": ANIMATED,
}


@dataclass(frozen=True)
class Output:
    """How the images of a response are drawn.

    Attributes:
        media_type: of the response.
        encoding: of a response that is one image file; PNG for others.
        size: of each image, in pixels a side; None is the model's own.
        animation: how a GIF or animated PNG is played.
    """

    media_type: str
    encoding: Encoding
    size: int | None
    animation: Animation

    def check_memory(self, columns: int, rows: int, side: int, max_memory: int) -> int:
        """Refuse images that take too much memory in one response.

        Args:
            columns: images in a row of a contact sheet.
            rows: rows of the sheet.
            side: pixels a side of each image.
            max_memory: bytes that the response may take while it is encoded.

        Returns:
            bytes that it takes at most. Of a streamed response it is what is kept to be played
            backwards.

        Raises:
            ImageTooLargeError: if it takes more, or the format has no images of this size.
        """
        width, height = columns * side, rows * side
        if self.media_type in STREAMED:
            memory = BYTES_PER_PIXEL * width * height if self.animation.bounce else 0
        else:
            if self.media_type != JSON:
                self.encoding.check_size(width, height)
            memory = self.encoding.memory(width, height)
        if memory > max_memory:
            raise ImageTooLargeError(
                f"{columns} x {rows} images of {side} x {side} pixels take {memory} bytes as "
                f"{self.media_type}; the limit is {max_memory}; send a smaller size, fewer images, "
                "or format=zip"
            )
        return memory


def chosen_output(
    media_type: str, params: BaseModel, own_size: int, undrawn: Sequence[str]
) -> Output:
    """How the images of a response are drawn.

    Args:
        media_type: of the response.
        params: of the request.
        own_size: pixels a side of the model's images.
        undrawn: media types of the endpoint without images.

    Raises:
        InvalidError: for every option that was sent and has no effect on this media type.
    """
    errors = [
        (f"#/{option}", _no_effect(option, media_type))
        for option, used_by in OPTIONS.items()
        if option in params.model_fields_set
        and getattr(params, option) is not None
        and (media_type not in used_by or media_type in undrawn)
    ]
    if errors:
        raise InvalidError(errors)
    animation = Animation()
    if isinstance(params, SequenceRequest):
        fps = DEFAULT_FPS if params.fps is None else params.fps
        animation = Animation(fps, params.loop or 0, params.bounce or False)
    if not isinstance(params, ModelRequest):
        return Output(media_type, Encoding(), None, animation)
    encoding = Encoding()
    if media_type in LOSSY:
        quality = DEFAULT_QUALITY if params.quality is None else params.quality
        encoding = Encoding(LOSSY[media_type], quality)
    return Output(media_type, encoding, None if params.size == own_size else params.size, animation)


def _no_effect(option: str, media_type: str) -> str:
    names = [name for name, used in FORMATS.items() if used in OPTIONS[option]]
    return (
        f"{option} has no effect on {media_type}; choose format={', '.join(names[:-1])} or "
        f"{names[-1]}, or leave it out"
    )
