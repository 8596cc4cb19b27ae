"""Answers that a connection writes itself, before a task and the layers of middleware are made.

Only what ``api.thin`` answers from memory; the bytes are those that the layers would have sent.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from api.client import told_by_proxy
from api.middleware import HSTS
from api.thin import PATH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.thin import Thin

TARGET: Final = f"{PATH}?".encode()
_LINES: Final = {
    status: f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode() for status in (200, 304)
}


class Early:
    """Whole answers to single requests, as bytes.

    Parameters
    ----------
    headers
        What every answer carries.
    behind_proxy
        Whether the proxy in front is believed about scheme and address.
    """

    def __init__(self, thin: Thin, headers: dict[str, str], *, behind_proxy: bool) -> None:
        self._thin, self._behind_proxy = thin, behind_proxy
        common = "".join(f"{name.lower()}: {value}\r\n" for name, value in headers.items())
        plain = f"{common}vary: Accept-Language, Cookie, Authorization\r\n".encode()
        self._common = {"http": plain, "https": plain + b"%b: %b\r\n" % HSTS}

    def answer(
        self, target: bytes, headers: Sequence[tuple[bytes, bytes]], client: str, scheme: str
    ) -> tuple[int, bytes] | None:
        """Status and whole answer but its first line and general headers; None to go the long way.

        Parameters
        ----------
        target
            The request's, beginning with ``TARGET``.
        headers
            With names in lower case.
        """
        if self._behind_proxy:
            outer, address = told_by_proxy(headers)
            scheme, client = outer or scheme, address or client
        query = target[len(TARGET) :].partition(b"#")[0]
        said = self._thin.answer(query, headers, client, is_encrypted=scheme == "https")
        if said is None:
            return None
        own = b"".join([b"%b: %b\r\n" % each for each in said.headers])
        return said.status, b"".join((self._common[scheme], own, b"\r\n", said.body))


def first_line(status: int) -> bytes:
    """The first line of an answer."""
    return _LINES[status]
