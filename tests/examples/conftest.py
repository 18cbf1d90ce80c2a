"""Servers for the examples: one of each bundled model."""

from collections.abc import Iterator

import pytest

from tests.app.processes import running


@pytest.fixture(scope="session")
def faces() -> Iterator[str]:
    """The address of a service of ``models/faces``, which aligns photographs."""
    with running(MODELS="models/faces") as (_, client):
        yield str(client.base_url)


@pytest.fixture(scope="session")
def avatars() -> Iterator[str]:
    """The address of a service of ``models/avatars``, which does not."""
    with running(MODELS="models/avatars") as (_, client):
        yield str(client.base_url)
