"""The closed family of errors: each has a code, an HTTP status, a message, a place and a hint.

A stage raises its own kind; the edge (`http`, `mqtt`, the command line) turns it into a response.
Nothing in a message or hint may hold SQL, a file path or a stack trace.
"""

from __future__ import annotations

from typing import ClassVar


class LakouError(Exception):
    """Base of all errors that a person may see.

    `place` says where: a character position in the URL (`"$filter:12"`) or a JSON pointer (`"/result"`).
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, place: str | None = None, hint: str | None = None, code: str | None = None):
        super().__init__(message)
        self.message = message
        self.place = place
        self.hint = hint
        self.error_code = code or self.code

    def body(self) -> dict[str, object]:
        """The error as JSON members: code, status, message and, where known, place and hint."""
        out: dict[str, object] = {"code": self.error_code, "status": self.status, "message": self.message}
        if self.place is not None:
            out["place"] = self.place
        if self.hint is not None:
            out["hint"] = self.hint
        return out


class BadRequest(LakouError):
    """400: the request cannot be understood or has a value out of range."""

    status = 400
    code = "bad_request"


class Unauthorized(LakouError):
    """401: a token is needed, or the one given is unknown or expired.

    `token` is the number of a token that exists and was shown with a secret that is none, or none any more: for the
    journal, never for the answer.
    """

    status = 401
    code = "unauthorized"
    token = 0


class Forbidden(LakouError):
    """403: the token is known but may not do this."""

    status = 403
    code = "forbidden"


class NotFound(LakouError):
    """404: nothing there, or nothing that this reader may know of."""

    status = 404
    code = "not_found"


class MethodNotAllowed(LakouError):
    """405: the method does not exist on this resource; `allow` lists those that do."""

    status = 405
    code = "method_not_allowed"
    allow = "GET, HEAD"


class NotAcceptable(LakouError):
    """406: the asked result format does not exist here."""

    status = 406
    code = "not_acceptable"


class Conflict(LakouError):
    """409: the change clashes with what is stored."""

    status = 409
    code = "conflict"


class PreconditionFailed(LakouError):
    """412: If-Match names another version than the stored one."""

    status = 412
    code = "precondition_failed"


class TooLarge(LakouError):
    """413: the body is above the limit."""

    status = 413
    code = "too_large"


class UnsupportedMediaType(LakouError):
    """415: the body is in a form that is not read here."""

    status = 415
    code = "unsupported_media_type"


class TooManyRequests(LakouError):
    """429: above the rate of this token or address."""

    status = 429
    code = "too_many_requests"
    retry_after_s = 1


class UnsupportedOption(LakouError):
    """501: a query option that the standard or this service does not define (18-088 §9.3.1)."""

    status = 501
    code = "unsupported_option"


class Unavailable(LakouError):
    """503: the store cannot take this now; try again after `retry_after_s`."""

    status = 503
    code = "unavailable"
    retry_after_s = 1


class Fault(LakouError):
    """500: a fault of this program; what is told says no more than that, the log has it whole."""

    status = 500
    code = "internal"
