"""What can be wrong with an image file."""


class ImageError(Exception):
    """An image file cannot be used.

    Attributes:
        path: to the image in the request, such as ``("image", 1)``; empty where that is not known.
    """

    path: tuple[str | int, ...] = ()


class UnsupportedImageError(ImageError):
    """The bytes are not of a supported image format."""


class ImageTooLargeError(ImageError):
    """The image has too many pixels, or decoding it takes too much memory."""


class CorruptImageError(ImageError):
    """The bytes begin like an image but cannot be decoded."""
