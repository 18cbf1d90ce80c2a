"""Serve: ``python -m app``. Settings come from the environment (``LORGNETTE_*``)."""

import sys

from app.server.run import main

if __name__ == "__main__":
    main(sys.argv[1:])
