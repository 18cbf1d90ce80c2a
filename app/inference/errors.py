"""What can go wrong between a request and its result."""


class QueueFullError(Exception):
    """A queue has no room for the items; try again after ``retry_after`` seconds."""

    def __init__(self, waiting: int, limit: int, retry_after: int) -> None:
        super().__init__(f"{waiting} images are waiting; the queue holds {limit}")
        self.retry_after = retry_after


class ShuttingDownError(Exception):
    """The service is stopping and accepts no more work."""


class InferenceTimeoutError(Exception):
    """A model call did not return in time, whatever its items were."""


class DeviceLostError(InferenceTimeoutError):
    """The device fails every call from now on; only a new process can use it."""


class OutOfMemoryError(Exception):
    """There is not enough memory for even one image at the moment."""


class NotReadyError(Exception):
    """Requests cannot be served at the moment."""


class UnknownModelError(Exception):
    """No loaded model has this name."""


class ReloadError(Exception):
    """A model was not loaded again, and serves as it was; the message says why."""


class DeviceError(Exception):
    """The requested device is not available."""
