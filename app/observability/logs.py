"""Logging: text lines for people, JSON objects for machines; written by a thread of their own."""

import json
import logging
import re
import threading
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from queue import SimpleQueue
from typing import Any, Literal

LOGGERS = ("uvicorn", "lorgnette", "opentelemetry")
# These warn, in a format of their own, of what is only a bad request.
QUIET_LOGGERS = ("python_multipart", "PIL")
MAX_QUEUED_RECORDS = 10_000
FLUSH_SECONDS = 2.0
ADDRESS = re.compile(r"[!-~]{1,64}")

access = logging.getLogger("lorgnette.access")


def log_response(
    method: str,
    path: str,
    status: int,
    seconds: float,
    request_id: str,
    *,
    trace_id: str | None = None,
    client: str | None = None,
    key: str | None = None,
    model: str | None = None,
) -> None:
    """Log a response; never the query, a header or anything of a body.

    Args:
        method: of the request.
        path: of the request; control characters in it are escaped.
        status: HTTP status code.
        seconds: duration of the request.
        request_id: value of ``X-Request-ID``.
        trace_id: of the OpenTelemetry trace, in hexadecimal; None without tracing.
        client: address of the client, as far as it is known.
        key: name of the key that was sent; None if none is known.
        model: ``NAME@SHA256-12`` of the model; None if the request is for none.
    """
    if not access.isEnabledFor(logging.INFO):
        return
    path = path.encode("unicode_escape").decode()  # a line break in a path must not start a line
    if client is not None and not ADDRESS.fullmatch(client):  # a proxy forwards what it was sent
        client = None
    known = {"client": client, "key": key, "model": model}
    fields = {
        "method": method,
        "path": path,
        "status": status,
        "milliseconds": round(1000 * seconds, 1),
        **{name: value for name, value in known.items() if value is not None},
        **request_fields(request_id, trace_id),
    }
    access.info(
        "%s %s %d %.1f ms %s %s %s %s",
        method,
        path,
        status,
        1000 * seconds,
        *(value or "-" for value in known.values()),
        request_id,
        extra={"fields": fields},
    )


def request_fields(request_id: str, trace_id: str | None) -> dict[str, str]:
    """The fields of a log record that name its request."""
    return {"request_id": request_id} | ({} if trace_id is None else {"trace_id": trace_id})


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the fields of the record."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


class BackgroundHandler(QueueHandler):
    """Queues records for a thread that formats them and writes them to standard error.

    So the event loop never waits for the reader of standard error. If that stops reading, the
    queue grows to ``MAX_QUEUED_RECORDS``; records beyond are dropped, and a later line says how
    many.
    """

    def __init__(self) -> None:
        self._records: SimpleQueue[logging.LogRecord | threading.Event] = SimpleQueue()
        super().__init__(self._records)
        self._stderr = logging.StreamHandler()
        self._listener = _Listener(self._records, self._stderr)
        self._listener.start()
        self._dropped = 0
        self._open = True

    def setFormatter(self, fmt: logging.Formatter | None) -> None:  # noqa: N802 -- as in logging
        """Set the format of the lines."""
        self._stderr.setFormatter(fmt)

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Leave all formatting to the thread."""
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        """Queue a record, or drop it if the queue is full."""
        if self._records.qsize() >= MAX_QUEUED_RECORDS:
            self._dropped += 1
            return
        if self._dropped:
            self._records.put(_dropped_record(self._dropped))
            self._dropped = 0
        self._records.put(record)

    def flush_within(self, seconds: float) -> bool:
        """Wait until all records so far are written; False if that takes longer."""
        if not self._open:
            return True
        written = threading.Event()
        self._records.put(written)
        return written.wait(seconds)

    def flush(self) -> None:
        """Wait until all records so far are written, for at most ``FLUSH_SECONDS``."""
        self.flush_within(FLUSH_SECONDS)

    def close(self) -> None:
        """Write what is queued and end the thread; leave it if standard error is not read."""
        if self._open and self.flush_within(FLUSH_SECONDS):
            self._listener.stop()
        self._open = False
        super().close()


class _Listener(QueueListener):
    """Writes records, and sets an event once all records before it are written."""

    def handle(self, record: logging.LogRecord | threading.Event) -> None:
        if isinstance(record, threading.Event):
            record.set()
        else:
            super().handle(record)


def _dropped_record(count: int) -> logging.LogRecord:
    text = "%d log lines before this one were dropped: standard error was not read"
    fields = {"name": "lorgnette", "levelno": logging.WARNING, "levelname": "WARNING"}
    return logging.makeLogRecord({**fields, "msg": text, "args": (count,)})


def flush() -> bool:
    """Wait until all log lines so far are written; False if standard error does not take them."""
    handlers = logging.getLogger("lorgnette").handlers
    ours = [handler for handler in handlers if isinstance(handler, BackgroundHandler)]
    return all(handler.flush_within(FLUSH_SECONDS) for handler in ours)


def config(form: Literal["text", "json"], level: str) -> dict[str, Any]:
    """For ``logging.config.dictConfig``: everything to standard error, in one format."""
    formatters: dict[str, Any] = {
        "text": {"format": "%(asctime)s %(levelname)s %(message)s"},
        "json": {"()": JsonFormatter},
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": formatters,
        "handlers": {"stderr": {"()": BackgroundHandler, "formatter": form}},
        "loggers": {
            **{
                name: {"handlers": ["stderr"], "level": level.upper(), "propagate": False}
                for name in LOGGERS
            },
            **{name: {"level": "ERROR"} for name in QUIET_LOGGERS},
        },
    }
