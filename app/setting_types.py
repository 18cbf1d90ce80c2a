"""Types of settings that are lists, keys, origins, addresses or URLs, with the check of each."""

import ipaddress
import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

KEY = re.compile(r"(?:(?P<name>[\w.-]{1,64}):)?(?P<digest>[0-9a-f]{64})", re.ASCII)
DEFAULT_PORTS = {"http": 80, "https": 443}
SHOWN_DIGITS = 8  # of a key's hash, where the key has no name


def is_loopback(host: str) -> bool:
    """Whether this is an IP address that only this machine has."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    # An IPv6 socket shows the address of an IPv4 client as ::ffff:127.0.0.1.
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def named_hash(text: str) -> tuple[str, bytes]:
    """The name of a key and its SHA-256 hash, of ``NAME:HASH`` or ``HASH``.

    A key without a name is named by the first digits of its hash.

    Raises:
        ValueError: if the text has another form.
    """
    match = KEY.fullmatch(text)
    if match is None:
        raise ValueError(
            "each key is given by its SHA-256 hash, 64 hexadecimal digits, or as NAME:HASH, where "
            "NAME has up to 64 letters, digits, dots, hyphens and underscores"
        )
    digest = match["digest"]
    return match["name"] or digest[:SHOWN_DIGITS], bytes.fromhex(digest)


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _check_keys(value: tuple[str, ...]) -> tuple[str, ...]:
    for text in value:
        named_hash(text)
    return value


def _check_origins(value: tuple[str, ...]) -> tuple[str, ...]:
    if value != ("*",) and not all(map(_is_origin, value)):
        raise ValueError(
            "each origin is written as a browser sends it, such as https://shop.example or "
            "http://localhost:3000: in lower case, without a path, and without the default port; "
            "or * alone for every origin"
        )
    return value


def _is_origin(text: str) -> bool:
    """Whether a browser could send this as its ``Origin``."""
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname
    except ValueError:
        return False
    if not host or not parts.scheme or re.search(r"[^!-~]|[*@]", text):
        return False
    host = f"[{host}]" if ":" in host else host
    shown_port = "" if port is None or port == DEFAULT_PORTS.get(parts.scheme) else f":{port}"
    return text == f"{parts.scheme}://{host}{shown_port}"


def _check_networks(value: tuple[str, ...]) -> tuple[str, ...]:
    for text in value:
        try:
            ipaddress.ip_network(text)
        except ValueError:
            raise ValueError(f"{text!r} is no IP address and no network") from None
    return value


def _check_database(value: str) -> str:
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        raise ValueError("must be a URL such as sqlite:///directions.sqlite3") from None
    if url.drivername not in ("sqlite", "postgresql"):
        raise ValueError(
            f"begins with {url.drivername}://; it must begin with sqlite:/// or postgresql://"
        )
    if url.drivername == "sqlite" and url.database in (None, "", ":memory:"):
        raise ValueError("names no file, as in sqlite:///directions.sqlite3")
    return value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
KeyHashes = Annotated[Names, AfterValidator(_check_keys)]
Origins = Annotated[Names, AfterValidator(_check_origins)]
Networks = Annotated[Names, AfterValidator(_check_networks)]
DatabaseUrl = Annotated[str, AfterValidator(_check_database)]
