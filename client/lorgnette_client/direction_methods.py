"""The methods about named directions, of both clients."""

from typing import Any, Unpack, overload

from lorgnette_client import calls
from lorgnette_client.operands import Group
from lorgnette_client.options import DirectionOptions, Format, ModelOptions, PreviewOptions
from lorgnette_client.results import Direction, Directions, Images
from lorgnette_client.transport import AsyncTransport, Transport


class DirectionMethods:
    """The methods of the synchronous client that are about named directions."""

    _transport: Transport

    def directions(self, **options: Unpack[ModelOptions]) -> Directions:
        """The named directions of a model."""
        return self._transport.send(calls.directions, options)

    def direction(self, name: str, **options: Unpack[ModelOptions]) -> Direction:
        """One named direction of a model."""
        return self._transport.send(calls.direction, name, options)

    def put_direction(
        self,
        name: str,
        positives: Group,
        negatives: Group | None = None,
        **options: Unpack[DirectionOptions],
    ) -> Direction:
        """Make a direction from images with and without a property, and save it under a name."""
        return self._transport.send(calls.put_direction, name, positives, negatives, options)

    def delete_direction(self, name: str, **options: Unpack[ModelOptions]) -> None:
        """Delete a saved direction."""
        self._transport.send(calls.delete_direction, name, options)

    @overload
    def preview_direction(
        self, name: str, *, format: None = None, **options: Unpack[PreviewOptions]
    ) -> Images: ...
    @overload
    def preview_direction(
        self, name: str, *, format: Format, **options: Unpack[PreviewOptions]
    ) -> bytes: ...
    def preview_direction(
        self, name: str, *, format: Format | None = None, **options: Any
    ) -> Images | bytes:
        """A sample moved along a direction, from -2 to 2 steps of it."""
        return self._transport.send(calls.preview_direction, name, format, options)


class AsyncDirectionMethods:
    """The methods of the asynchronous client that are about named directions."""

    _transport: AsyncTransport

    async def directions(self, **options: Unpack[ModelOptions]) -> Directions:
        """The named directions of a model."""
        return await self._transport.send(calls.directions, options)

    async def direction(self, name: str, **options: Unpack[ModelOptions]) -> Direction:
        """One named direction of a model."""
        return await self._transport.send(calls.direction, name, options)

    async def put_direction(
        self,
        name: str,
        positives: Group,
        negatives: Group | None = None,
        **options: Unpack[DirectionOptions],
    ) -> Direction:
        """Make a direction from images with and without a property, and save it under a name."""
        return await self._transport.send(calls.put_direction, name, positives, negatives, options)

    async def delete_direction(self, name: str, **options: Unpack[ModelOptions]) -> None:
        """Delete a saved direction."""
        await self._transport.send(calls.delete_direction, name, options)

    @overload
    async def preview_direction(
        self, name: str, *, format: None = None, **options: Unpack[PreviewOptions]
    ) -> Images: ...
    @overload
    async def preview_direction(
        self, name: str, *, format: Format, **options: Unpack[PreviewOptions]
    ) -> bytes: ...
    async def preview_direction(
        self, name: str, *, format: Format | None = None, **options: Any
    ) -> Images | bytes:
        """A sample moved along a direction, from -2 to 2 steps of it."""
        return await self._transport.send(calls.preview_direction, name, format, options)
