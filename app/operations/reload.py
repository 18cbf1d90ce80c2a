"""Loading a model again in every worker process of the service."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.inference.errors import ReloadError
from app.inference.loaded_model import LoadedModel
from app.inference.registry import Outcome
from app.inference.worker_channel import WorkerReload
from app.operations.service import Service


@dataclass(frozen=True)
class ServiceReload:
    """What came of loading a model again.

    Attributes:
        outcome: ``reloaded``, or ``unchanged`` if no worker had other files.
        former: ``NAME@SHA256-12`` of the model before, in this worker.
        model: that serves now.
        workers: processes that serve it.
    """

    outcome: Outcome
    former: str
    model: LoadedModel
    workers: int


async def reload_model(service: Service, name: str) -> ServiceReload:
    """Load a model again here, and if that succeeds in all other workers.

    Raises:
        UnknownModelError, OutOfMemoryError, ShuttingDownError: as ``Registry.reload``.
        ReloadError: if the new files cannot be used here, or in another worker.
    """
    reload = await service.models.reload(name)
    others: Sequence[WorkerReload] = ()
    if service.workers is not None:
        others = await service.workers.reload_elsewhere(reload.model.name)
    wrong = [other.detail for other in others if other.detail != reload.model.id]
    if wrong:
        raise ReloadError(
            f"{reload.model.id} is not served by {len(wrong)} of {1 + len(others)} workers, which "
            f"go on as they were: {wrong[0]}"
        )
    outcomes = {reload.outcome, *(other.outcome for other in others)}
    outcome: Outcome = "reloaded" if "reloaded" in outcomes else "unchanged"
    return ServiceReload(outcome, reload.former, reload.model, 1 + len(others))
