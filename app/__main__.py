"""Serve: ``python -m app``. Settings come from the environment (``LORGNETTE_*``)."""

import signal
import sys

if __name__ == "__main__":
    # SIGHUP loads models again. It would end a process that has not come so far; the supervisor
    # blocks it in a new worker for that reason.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})

    from app.server.run import main

    main(sys.argv[1:])
