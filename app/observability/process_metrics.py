"""CPU time, memory and open files of the process, or of each worker process."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

LIVE_FILES = "gauge_live*_*.db"  # of workers that run; the supervisor removes those of the others


def register(registry: CollectorRegistry, workers: Path | None) -> None:
    """Add ``process_*`` to a registry.

    Args:
        registry: that is scraped.
        workers: folder of the metrics of all workers, each of which is a time series with the label
            ``pid``; None for this process alone, without a label.
    """
    registry.register(ProcessCollector(registry=None) if workers is None else _Workers(workers))


class _Workers(Collector):
    """Reads the processes that have live files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        families: dict[str, Metric] = {}
        for pid in sorted({file.stem.rpartition("_")[2] for file in self._folder.glob(LIVE_FILES)}):
            for found in _collect(pid):
                family = families.setdefault(
                    found.name, Metric(found.name, found.documentation, found.type)
                )
                for sample in found.samples:
                    family.add_sample(sample.name, {"pid": pid}, sample.value)
        return families.values()


def _collect(pid: str) -> Iterator[Metric]:
    yield from ProcessCollector(pid=lambda: pid, registry=None).collect()
