"""The entry point of the command line."""

import sys
from collections.abc import Sequence

import httpx

from lorgnette_client.client import Client
from lorgnette_client.command_line.arguments import parser
from lorgnette_client.command_line.commands import COMMANDS
from lorgnette_client.connection import connection
from lorgnette_client.errors import LorgnetteError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; an error is one line, and status 1.

    Args:
        arguments: of the command; if None, those of the process.
    """
    args = parser().parse_args(arguments)
    try:
        with Client(args.url) as client:
            COMMANDS[args.command](client, args)
    except httpx.TransportError as error:
        reason = str(error) or type(error).__name__
        return _failed(f"{connection(args.url, None).base_url}: {reason}")
    except (LorgnetteError, OSError, ValueError) as error:
        return _failed(str(error))
    except KeyboardInterrupt:
        return 130
    return 0


def _failed(message: str) -> int:
    print(f"lorgnette: {' '.join(message.split())}", file=sys.stderr)
    return 1
