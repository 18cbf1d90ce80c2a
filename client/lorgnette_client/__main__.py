"""``python -m lorgnette_client``."""

import sys

from lorgnette_client.command_line.main import main

sys.exit(main())
