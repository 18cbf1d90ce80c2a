"""Serve: ``python -m app``. Settings come from the environment (``LORGNETTE_*``)."""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError

from app import connections, logs
from app.main import create_app
from app.settings import Settings

STARTUP_FAILURE = 3  # as of uvicorn's own command


class Server(uvicorn.Server):
    """Stops gracefully at the first signal, and at once at the second."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note a signal."""
        if self.should_exit:
            os._exit(128 + sig)
        super().handle_exit(sig, frame)


def main() -> None:
    """Run the server until it is told to stop."""
    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors():
            place = f"LORGNETTE_{problem['loc'][0]}".upper() if problem["loc"] else "settings"
            print(f"{place}: {problem['msg'].removeprefix('Value error, ')}", file=sys.stderr)
        sys.exit(2)
    app = create_app(settings)
    # After a graceful stop uvicorn raises SIGTERM anew; having been asked to stop is no failure,
    # but having stopped because the model was lost for good is one.
    signal.signal(signal.SIGTERM, lambda *_: _exit(app))
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=connections.limited(settings),
        ws="none",
        log_config=logs.config(settings.log_format, settings.log_level),
        access_log=False,  # app.main logs answers with their request ids
        timeout_graceful_shutdown=settings.shutdown_seconds,
        server_header=False,
    )
    server = Server(config)
    server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)


def _exit(app: FastAPI) -> NoReturn:
    status = int(getattr(app.state, "given_up", False))
    service = getattr(app.state, "service", None)
    if service is not None and service.model_thread.abandoned:
        os._exit(status)  # the interpreter's own end would abort on a thread inside the model
    sys.exit(status)


if __name__ == "__main__":
    main()
