"""Exit with 0 if the service on this machine is ready: ``python -m app.server.healthcheck``."""

import sys
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException

from app.server.environment import SettingsError, load_settings

TIMEOUT_SECONDS = 4
PATH = "/health/ready"
LOOPBACK = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # nosec B104  # noqa: S104 -- not bound here


def main() -> int:
    """Request readiness from the address of the settings; 0 if ready, 1 with the reason if not."""
    try:
        settings = load_settings()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    address = LOOPBACK.get(settings.host, settings.host)
    connection = HTTPConnection(address, settings.port, timeout=TIMEOUT_SECONDS)
    try:
        with closing(connection):
            connection.request("GET", PATH)
            status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        print(f"{address} port {settings.port}: {error}", file=sys.stderr)
        return 1
    if status != HTTPStatus.OK:
        print(f"{address} port {settings.port}: {PATH} has status {status}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
