"""From a request to its caller: the credential it shows, the rights a route asks, how often."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPBearer
from sqlalchemy.orm import Session

from api.dependencies import get_database
from boundaries.access import Caller, Credential, enter
from boundaries.accounts.credentials import KEY_PREFIX
from boundaries.errors import NotSignedIn, OtherSite
from gis import audit
from gis.database import Database
from gis.errors import TooMany

if TYPE_CHECKING:
    from api.thin import Located

COOKIE: Final = "wangge_session"
CSRF_HEADER: Final = "X-CSRF-Token"
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# Digits of a credential's hash in the log: enough to find its row by, nothing to sign in with.
MARK: Final = 8


KEY_SCHEME: Final = HTTPBearer(
    auto_error=False, scheme_name="API key", description="Of an integrator's program"
)
SESSION_SCHEME: Final = APIKeyCookie(
    name=COOKIE,
    auto_error=False,
    scheme_name="session",
    description=f"Of a person who signed in; what changes something also needs {CSRF_HEADER}",
)


@dataclass(frozen=True, slots=True)
class Access:
    """A caller that was let in, and the transaction that sees what it may see."""

    caller: Caller
    session: Session

    @property
    def actor(self) -> str:
        """Who acts, for the record."""
        return self.caller.login


@dataclass(frozen=True, slots=True)
class Known:
    """A caller that the database let in before it went away; there is no transaction.

    Attributes
    ----------
    reader, context
        What tells it from others in the journal, and as whom it acts.
    """

    caller: Caller
    reader: str
    context: audit.Context


class RateLimits:
    """How often each caller may still ask: a bucket each, filled evenly over a while."""

    def __init__(self, *, kept: int = 100_000) -> None:
        self._kept = kept
        self._left: dict[Hashable, tuple[float, float, float]] = {}
        self._lock = Lock()

    def take(
        self,
        caller: Hashable,
        limit: int,
        *,
        within_s: float = 60,
        what: str = "this key may ask {limit} times a minute",
        times: int = 1,
        now: float | None = None,
    ) -> None:
        """Count one request, or one that is as much work as several.

        Raises
        ------
        TooMany
            The bucket is empty.
        """
        moment = time.monotonic() if now is None else now
        a_second = limit / within_s
        with self._lock:
            left, at, _ = self._left.get(caller, (float(limit), moment, 0.0))
            left = min(float(limit), left + (moment - at) * a_second)
            if left < times:
                raise TooMany(what.format(limit=limit), (times - left) / a_second)
            full_at = moment + (limit - left + times) / a_second
            self._left[caller] = (left - times, moment, full_at)
            if len(self._left) > self._kept:
                self._forget(moment)

    def _forget(self, moment: float) -> None:
        """Drop the buckets that are full again; if strangers filled it all, the fullest half."""
        kept = {who: each for who, each in self._left.items() if each[2] > moment}
        if len(kept) > self._kept // 2:
            emptiest = sorted(kept, key=lambda who: kept[who][2])[-(self._kept // 2) :]
            kept = {who: kept[who] for who in emptiest}
        self._left = kept


def is_secure(request: Request) -> bool:
    """Whether the session's cookie is for HTTPS only: always, but on this machine itself."""
    return request.url.scheme == "https" or not request.app.state.settings.is_loopback


def cookie_name(request: Request) -> str:
    """Name of the session's cookie; by its prefix a browser knows that no other host set it."""
    return cookie_of(is_secure=is_secure(request))


def cookie_of(*, is_secure: bool) -> str:
    """Name of the session's cookie where it is for HTTPS only, and where it is not."""
    return f"__Host-{COOKIE}" if is_secure else COOKIE


def csrf_token(session_token: str) -> str:
    """What a page of the session's own sends along with each change; no other page can know it."""
    digest = hashlib.sha256(b"wangge csrf\0" + session_token.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def credential_of(request: Request) -> Credential:
    """The credential a request shows: an API key in its header, else the cookie of a session.

    Raises
    ------
    NotSignedIn
        It shows none.
    OtherSite
        It changes something by a cookie alone, which any page could make a browser send.
    """
    header = request.headers.get("Authorization")
    if header is not None:
        scheme, _, secret = header.partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise NotSignedIn("the Authorization header is none of ours: send 'Bearer <API key>'")
        credential = Credential.of(secret.strip(), is_key=True)
        # What is no key may be a password that was pasted there.
        is_ours = secret.strip().startswith(KEY_PREFIX)
        request.state.shown = f"key:{credential.hash.hex()[:MARK]}" if is_ours else "key:?"
        return credential
    token = request.cookies.get(cookie_name(request))
    if not token:
        raise NotSignedIn("sign in first, or send an API key as 'Authorization: Bearer <key>'")
    credential = Credential.of(token, is_key=False)
    request.state.shown = f"session:{credential.hash.hex()[:MARK]}"
    if request.method not in SAFE_METHODS:
        _check_same_site(request, token)
    return credential


def refuse_other_sites(request: Request) -> None:
    """Refuse what the browser says that a page of another site has asked for.

    Raises
    ------
    OtherSite
        Another site asked.
    """
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None:
        is_ours = site in {"same-origin", "none"}
    else:
        # Browsers that do not say so name the origin; programs name neither.
        is_ours = origin is None or urlsplit(origin).netloc == request.headers.get("Host")
    if not is_ours:
        raise OtherSite("another site asked for this, and only wangge's own pages may")


def _check_same_site(request: Request, token: str) -> None:
    refuse_other_sites(request)
    sent = request.headers.get(CSRF_HEADER, "")
    if not hmac.compare_digest(sent.encode(), csrf_token(token).encode()):
        raise OtherSite(
            f"the {CSRF_HEADER} header is missing or wrong: take 'csrf' of GET /api/v1/session"
        )


def needs(
    *rights: str, before_password: bool = False, heavy: bool = False, goes_on: bool = False
) -> Any:
    """What a route asks of its caller: ``access: Annotated[Access, needs("incidents.read")]``.

    With several rights, any of them will do; with none, whoever is signed in. Every route has one,
    or is named as public by the test of the access matrix.

    Parameters
    ----------
    before_password
        Whether somebody may ask whose one-time password is still to be changed.
    heavy
        Whether the work has more time than a request otherwise.
    goes_on
        Whether the route has an answer without the database: while that is away, a key that it let
        in before comes as ``Known``.
    """

    def access(
        request: Request,
        database: Annotated[Database, Depends(get_database)],
        # For the document only: ``credential_of`` reads them.
        _key: Annotated[object, Security(KEY_SCHEME)],
        _session: Annotated[object, Security(SESSION_SCHEME)],
    ) -> Iterator[Access | Known]:
        request.state.rights = rights
        credential = credential_of(request)
        known = _known(request, credential) if goes_on else None
        if known is not None:
            known.caller.require(*rights)
            yield known
            return
        with database.service_transaction(heavy=heavy) as session:
            origin = request.client.host if request.client else ""
            caller = enter(session, credential, origin=origin)
            request.state.caller = audit.acting(session)
            _count(request, caller)
            if not before_password:
                caller.require_own_password()
            if rights:
                caller.require(*rights)
            located: Located | None = request.app.state.located
            if located is not None:
                located.admissions.admit(credential, caller, request.state.caller)
            yield Access(caller, session)

    access.rights = rights  # type: ignore[attr-defined]  # read by the test of the matrix
    # scope="function": the transaction ends, and may fail, before the answer is sent.
    return Depends(access, scope="function")


def _known(request: Request, credential: Credential) -> Known | None:
    """Whom a key stands for while the database is away; None where that has to be asked."""
    located: Located | None = request.app.state.located
    if located is None or not located.keeper.is_cut_off or located.keeper.snapshot is None:
        return None
    entry = located.admissions.entry(credential, cut_off=True)
    if entry is None:
        return None
    _count(request, entry.caller)
    reader, context = entry.seen_from(request.client.host if request.client else "")
    request.state.caller = context
    return Known(entry.caller, reader, context)


def _count(request: Request, caller: Caller) -> None:
    if caller.key_id is not None and caller.per_minute is not None:
        limits: RateLimits = request.app.state.rate_limits
        limits.take(caller.key_id, caller.per_minute)
