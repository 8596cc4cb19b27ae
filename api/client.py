"""Where a request really came from, and whether it came encrypted: proxies told from strangers."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import TYPE_CHECKING

from boundaries.accounts.signing_in import Device

if TYPE_CHECKING:
    from fastapi import Request
    from starlette.types import ASGIApp, Receive, Scope, Send


def device_of(request: Request) -> Device:
    """Network address and browser of whoever asks."""
    address = request.client.host if request.client is not None else ""
    return Device(address, request.headers.get("User-Agent", "")[:300])


class BehindProxy:
    """Believes what the proxy in front says: the last word in each header is its own.

    Only for a service whose port nothing but the proxy can reach: whoever else could, would write
    the headers as they please.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Put the outer scheme and address in place of the proxy's."""
        if scope["type"] == "http":
            scheme, address = told_by_proxy(scope["headers"])
            if scheme:
                scope["scheme"] = scheme
            if address:
                scope["client"] = (address, 0)
        await self.app(scope, receive, send)


def told_by_proxy(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, str]:
    """Outer scheme and address that the proxy names; '' where it names none."""
    said = {
        name: value.decode("latin-1").rpartition(",")[2].strip()
        for name, value in headers
        if name in {b"x-forwarded-proto", b"x-forwarded-for"}
    }
    scheme = said.get(b"x-forwarded-proto", "")
    address = _address(said.get(b"x-forwarded-for", ""))
    return scheme if scheme in {"http", "https"} else "", address


def _address(text: str) -> str:
    try:
        return str(ip_address(text.strip("[]")))
    except ValueError:
        return ""
