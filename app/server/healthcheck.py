"""Exit 0 if the service on this machine is ready: ``python -m app.server.healthcheck``, for health checks."""

import sys
import urllib.error
import urllib.request

from app.settings import Settings

TIMEOUT_SECONDS = 4


def main() -> int:
    """Ask the local port; 0 if it is ready, 1 with the reason if not."""
    url = f"http://127.0.0.1:{Settings().port}/health/ready"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=TIMEOUT_SECONDS):
            return 0
    except (urllib.error.URLError, TimeoutError) as error:
        print(f"{url}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
