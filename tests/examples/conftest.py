"""Servers for the examples: one of each bundled model."""

from collections.abc import Iterator

import pytest

from tests.app.processes import running


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of saved directions, which the services share."""
    return f"sqlite:///{tmp_path_factory.mktemp('database')}/directions.sqlite3"


@pytest.fixture(scope="session")
def faces(database: str) -> Iterator[str]:
    """The address of a service of ``models/faces``, which aligns photographs."""
    with running(MODELS="models/faces", DIRECTIONS_DATABASE=database) as (_, client):
        yield str(client.base_url)


@pytest.fixture(scope="session")
def avatars(database: str) -> Iterator[str]:
    """The address of a service of ``models/avatars``, which does not."""
    with running(MODELS="models/avatars", DIRECTIONS_DATABASE=database) as (_, client):
        yield str(client.base_url)
