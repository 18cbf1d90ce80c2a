"""The methods for those who run the service, of both clients."""

from lorgnette_client import calls
from lorgnette_client.results import Reload
from lorgnette_client.transport import AsyncTransport, Transport


class AdminMethods:
    """The methods of the synchronous client for those who run the service."""

    _transport: Transport

    def reload(self, name: str) -> Reload:
        """Load a model again whose file has changed.

        Where the service has admin keys, ``api_key`` must be one of them.
        """
        return self._transport.send(calls.reload, name)


class AsyncAdminMethods:
    """The methods of the asynchronous client for those who run the service."""

    _transport: AsyncTransport

    async def reload(self, name: str) -> Reload:
        """Load a model again whose file has changed.

        Where the service has admin keys, ``api_key`` must be one of them.
        """
        return await self._transport.send(calls.reload, name)
