"""Log lines: text for a person, JSON for a machine."""

import json
import logging
from datetime import UTC, datetime
from typing import Any, Literal

NOISY = ("python_multipart", "PIL")  # warn, in a form of their own, of what is only a bad request

access = logging.getLogger("lorgnette.access")


def answered(
    method: str,
    path: str,
    status: int,
    seconds: float,
    request_id: str,
    trace_id: str | None = None,
) -> None:
    """Log an answer; never the query, a header or anything of a body."""
    if not access.isEnabledFor(logging.INFO):
        return
    path = path.encode("unicode_escape").decode()  # a line break in it makes no line
    fields = {
        "method": method,
        "path": path,
        "status": status,
        "milliseconds": round(1000 * seconds, 1),
        **ids(request_id, trace_id),
    }
    access.info(
        "%s %s %d %.1f ms %s",
        method,
        path,
        status,
        1000 * seconds,
        request_id,
        extra={"fields": fields},
    )


def ids(request_id: str, trace_id: str | None) -> dict[str, str]:
    """The fields that tell which request a record is about."""
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


def config(form: Literal["text", "json"], level: str) -> dict[str, Any]:
    """For ``logging.config.dictConfig``: everything to standard error, in one form."""
    formatters: dict[str, Any] = {
        "text": {"format": "%(asctime)s %(levelname)s %(message)s"},
        "json": {"()": JsonFormatter},
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": formatters,
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": form}},
        "loggers": {
            **{
                name: {"handlers": ["stderr"], "level": level.upper(), "propagate": False}
                for name in ("uvicorn", "lorgnette", "opentelemetry")
            },
            **{name: {"level": "ERROR"} for name in NOISY},
        },
    }
