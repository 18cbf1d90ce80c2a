"""Networks as TorchScript graphs, of which there is one for each architecture."""

import copy
import warnings
from collections.abc import Hashable

import torch
from torch import Tensor, nn

# Set once: ``warnings.catch_warnings`` is not thread-safe. TorchScript: docs/decisions/0021.
warnings.filterwarnings("ignore", category=FutureWarning, module=r"torch\.jit\.")


class TracedNetworks:
    """Traces networks; those of one architecture share a graph and have weights of their own.

    PyTorch never releases a graph, so a model that is loaded again must not bring another one.
    """

    def __init__(self) -> None:
        self._graphs: dict[Hashable, nn.Module] = {}  # without weights

    def traced(self, architecture: Hashable, network: nn.Module, example: Tensor) -> nn.Module:
        """The same network as a graph, which runs without the interpreter and shares its weights.

        An eager network releases the interpreter lock for every operation and waits for it
        afterwards; under load, threads of other requests hold it by then. ``runner_selection``
        checks that the results are the same.

        Args:
            architecture: equal for networks that differ in their weights only.
            network: to trace.
            example: an input of it.
        """
        if architecture not in self._graphs:
            graph = torch.jit.trace(network, example, check_trace=False)  # type: ignore[no-untyped-call]
            self._graphs[architecture] = empty = copy.deepcopy(graph)
            for _, weight in _weights(empty):
                weight.data = torch.empty(0, dtype=weight.dtype)
        graph = copy.deepcopy(self._graphs[architecture])
        state = network.state_dict()
        for name, weight in _weights(graph):
            weight.data = state[name]
        return graph


def _weights(network: nn.Module) -> list[tuple[str, Tensor]]:
    return [*network.named_parameters(), *network.named_buffers()]
