"""Errors of the service as exceptions."""

from dataclasses import dataclass

import httpx

PROBLEM = "application/problem+json"
NO_TYPE = "about:blank"


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field of a request.

    Attributes:
        pointer: JSON pointer to the field, such as ``#/operands/me/0/image``.
        detail: what is wrong.
    """

    pointer: str
    detail: str


class LorgnetteError(Exception):
    """An error response (RFC 9457), or one that is not of Lorgnette.

    Attributes:
        status: HTTP status code.
        type: such as ``urn:lorgnette:no-face-found``; ``about:blank`` if it is not of Lorgnette.
        detail: what is wrong.
        errors: what is wrong with each field.
        request_id: which the log of the service has too; None if it is not of Lorgnette.
    """

    def __init__(
        self,
        status: int,
        type: str,
        detail: str,
        errors: tuple[FieldError, ...] = (),
        request_id: str | None = None,
    ) -> None:
        super().__init__(status, type, detail, errors, request_id)
        self.status = status
        self.type = type
        self.detail = detail
        self.errors = errors
        self.request_id = request_id

    def __str__(self) -> str:
        """What is wrong, by field where the service says so, in one line."""
        fields = [f"{error.pointer}: {error.detail}" for error in self.errors]
        return " ".join("; ".join(fields or [self.detail]).split())


def error_of(response: httpx.Response) -> LorgnetteError:
    """The error that a response with an error status is."""
    if response.headers.get("Content-Type", "").partition(";")[0].strip() == PROBLEM:
        try:
            problem = response.json()
            errors = tuple(FieldError(e["pointer"], e["detail"]) for e in problem.get("errors", ()))
            return LorgnetteError(
                response.status_code,
                problem["type"],
                problem["detail"],
                errors,
                problem.get("instance"),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            pass  # the error of a gateway
    detail = f"{response.url}: {response.status_code} {response.reason_phrase}".rstrip()
    return LorgnetteError(response.status_code, NO_TYPE, detail)


def unexpected(response: httpx.Response) -> LorgnetteError:
    """The error of a response that this version of the client cannot read."""
    media_type = response.headers.get("Content-Type", "no content type")
    detail = f"{response.url}: the response ({media_type}) is not one of Lorgnette's"
    return LorgnetteError(response.status_code, NO_TYPE, detail)
