"""Serve: ``python -m app``. Settings come from the environment (``LORGNETTE_*``)."""

import signal
import sys

import uvicorn
from pydantic import ValidationError

from app.main import create_app
from app.settings import Settings


def main() -> None:
    """Run the server until it is told to stop."""
    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors():
            place = f"LORGNETTE_{problem['loc'][0]}".upper() if problem["loc"] else "settings"
            print(f"{place}: {problem['msg'].removeprefix('Value error, ')}", file=sys.stderr)
        sys.exit(2)
    # After a graceful stop uvicorn raises SIGTERM anew; having been asked to stop is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_level=settings.log_level,
        timeout_graceful_shutdown=settings.shutdown_seconds,
        server_header=False,
    )


if __name__ == "__main__":
    main()
