"""``GET /api/v1/locate`` from memory, beside FastAPI: the same answer without asking the database.

It answers what it can vouch for: a key or session that was let in within a second, a place within
its area and within a grid, a snapshot that was compared with the database a second ago. All else
goes on to the route in ``routes/locate.py``, which also lets the caller in. While the database is
away it goes on with what it knows, and says as of when.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote_plus

from pydantic import TypeAdapter

from api import warming
from api.admission import Admissions, Admitted
from api.auth import cookie_of
from api.dependencies import parse_time
from api.language import preferred
from api.schemas.places import CandidateOut, LocateOut
from boundaries.access import Credential
from boundaries.access import Scope as Area
from boundaries.accounts.credentials import KEY_PREFIX
from gis.audit.journal import Journal
from gis.errors import WanggeError
from gis.locator.warming import urgent
from grids.incidents import asking
from grids.incidents.responsibility import ASK_BACK_BELOW, position
from grids.locating.keeper import Keeper
from grids.locating.snapshot import ON_BORDER_M

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from api.settings import ServerSettings
    from gis.database import Database
    from grids.incidents.asking import Language
    from grids.locating.facts import EditionFacts, UnitFacts
    from grids.locating.snapshot import Hit, Snapshot

log = logging.getLogger("wangge.api")

PATH: Final = "/api/v1/locate"
KNOWN: Final = frozenset({"lon", "lat", "at", "accuracy_m", "crs", "category", "explain"})
LONGEST_QUERY: Final = 512
KEPT: Final = 50_000
COUNTY: Final = 6
MOST_VAGUE_M: Final = 500.0
"""A vaguer place takes its time, and no connection shall wait for it: the route has threads."""
_CANDIDATES: Final = TypeAdapter(list[CandidateOut])
_VARIES: Final = {"at", "as_of", "point", "distance_to_border_m", "confidence", "candidates",
                  "ask_back", "ask_back_text", "border"}  # fmt: skip
_SURE: Final = b'"confidence":null,"candidates":[],"ask_back":false,"ask_back_text":null'


class Fixed(NamedTuple):
    """What of an answer is the same for all places of a grid, for a time."""

    since: float
    until: float
    json: bytes
    digest: bytes
    """Of that, for the tag."""
    people: str
    unit: str
    grid: int


class Shown(NamedTuple):
    """Who asks, the tag of what the client has already, and the language it wants."""

    credential: Credential
    tag: bytes
    language: Language


class Asked(NamedTuple):
    """A place in WGS 84 and a moment, as time and in seconds since 1970."""

    lon: float
    lat: float
    crs: str
    at: datetime
    is_named: bool
    """Whether a moment was named, else it is now."""
    seconds: float
    accuracy_m: float | None
    matter: str | None
    explain: bool


class Said(NamedTuple):
    """An answer."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


@dataclass
class Located:
    """What the thin path answers from."""

    keeper: Keeper
    journal: Journal
    admissions: Admissions


class ThinLocate:
    """Answers from memory, or hands on."""

    def __init__(self, app: ASGIApp, thin: Thin) -> None:
        self.app, self.thin = app, thin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        if scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "GET":
            client = scope.get("client")
            answer = self.thin.answer(
                scope["query_string"],
                scope["headers"],
                client[0] if client else "",
                is_encrypted=scope.get("scheme") == "https",
            )
            if answer is not None:
                headers = [*answer.headers, (b"vary", b"Accept-Language")]
                await send(
                    {"type": "http.response.start", "status": answer.status, "headers": headers}
                )
                await send({"type": "http.response.body", "body": answer.body})
                return
        await self.app(scope, receive, send)


class Thin:
    """Answers of an application from memory."""

    def __init__(self, state: Any) -> None:
        self._state = state
        self._settings: ServerSettings = state.settings
        self._fixed: dict[tuple[Any, ...], Fixed] = {}
        self._of: Snapshot | None = None

    def answer(
        self,
        query: bytes,
        headers: Iterable[tuple[bytes, bytes]],
        origin: str,
        *,
        is_encrypted: bool,
    ) -> Said | None:
        """What is answered; None where the route has to be asked.

        Parameters
        ----------
        headers
            With names in lower case.
        origin
            Network address that it is asked from.
        """
        begun = time.perf_counter()
        located: Located | None = self._state.located
        if located is None or len(query) > LONGEST_QUERY:
            return None
        keeper = located.keeper
        snapshot = keeper.snapshot if keeper.is_current or keeper.is_cut_off else None
        cookie = cookie_of(is_secure=is_encrypted or not self._settings.is_loopback)
        shown = _shown(headers, cookie.encode())
        if snapshot is None or shown is None:
            return None
        entry = located.admissions.entry(shown.credential, cut_off=keeper.is_cut_off)
        if entry is None:
            return None
        try:
            asked = _asked(query, self._settings)
            found = asked and self._find(snapshot, asked, entry, shown.language)
            if asked is None or found is None:
                return None
            fixed, own = found
            caller = entry.caller
            if caller.per_minute is not None:
                self._state.rate_limits.take(caller.key_id, caller.per_minute)
            # Before anything is handed out, also where the client has it already.
            if fixed.people:
                located.journal.note(*entry.seen_from(origin), fixed.unit, fixed.grid, fixed.people)
        except (WanggeError, ValueError, OSError):
            return None  # the route says what is wrong
        if keeper.is_cut_off:
            as_of = datetime.fromtimestamp(keeper.as_of, UTC)
        else:
            as_of = datetime.now(UTC) if asked.is_named else asked.at
        digest = hashlib.blake2b(own + fixed.digest, digest_size=12).hexdigest()
        tag = b'W/"%b"' % digest.encode()
        spent = f"locate;dur={(time.perf_counter() - begun) * 1000:.3f}"
        headers = [
            (b"etag", tag),
            (b"cache-control", b"private, no-cache"),
            (b"server-timing", spent.encode()),
        ]
        is_known = tag in shown.tag
        return Said(304, headers, b"") if is_known else _whole(
            headers, asked.at, as_of, own, fixed.json
        )  # fmt: skip

    def _find(
        self, snapshot: Snapshot, asked: Asked, entry: Admitted, language: Language
    ) -> tuple[Fixed, bytes] | None:
        """What is fixed for the grid of a place, and what of the answer is the place's own."""
        if asked.matter is not None and asked.matter not in snapshot.roster.categories:
            return None
        hits = snapshot.find(asked.lon, asked.lat, asked.seconds)
        scope = entry.caller.scope
        if "base" not in hits or not scope.covers(hits["base"].grid.unit_code):
            return None
        if asked.explain and not _sees_all(snapshot, scope, hits["base"].grid.unit_code, asked):
            return None
        hit = hits["base"]
        border_m = hit.compiled.locator.border_distance_m(asked.lon, asked.lat, hit.position)
        if border_m <= ON_BORDER_M:
            return None  # the route tells that it is on the border
        fixed = self._parts(snapshot, hits, asked)
        if fixed is None:
            return None
        doubt = _SURE
        if asked.accuracy_m is not None:
            doubt = _doubt(snapshot, asked, entry, fixed.grid, language)
        crs = '"wgs84"' if asked.crs == "wgs84" else json.dumps(asked.crs)
        place = f'"point":{{"lon":{asked.lon!r},"lat":{asked.lat!r},"crs":{crs}}}'
        place += f',"distance_to_border_m":{border_m!r}'
        return fixed, b"%b,%b" % (place.encode(), doubt)

    def _parts(self, snapshot: Snapshot, hits: dict[str, Hit], asked: Asked) -> Fixed | None:
        """What is the same for all places of a grid; None where the database has to be asked."""
        if snapshot is not self._of:
            self._fixed, self._of = {}, snapshot
        places = ((kind, hit.compiled.edition.id, hit.position) for kind, hit in hits.items())
        key = (asked.matter, asked.explain, *places)
        found = self._fixed.get(key)
        if found is not None and found.since <= asked.seconds < found.until:
            return found
        answer = snapshot.answer(
            asked.lon, asked.lat, at=asked.at, matter=asked.matter, explain=asked.explain
        )
        if answer is None or answer.reason == "on_border":
            return None
        grid = hits["base"].grid
        since, until = snapshot.roster.steady(
            grid=grid.grid_id,
            unit=grid.unit_code,
            at=asked.seconds,
            exclusive=hits["exclusive"].grid.grid_id if "exclusive" in hits else None,
            micro=hits["micro"].grid.grid_id if "micro" in hits else None,
            matter=asked.matter,
        )
        spans: list[EditionFacts | UnitFacts] = [hit.compiled.edition for hit in hits.values()]
        spans += snapshot.chain(grid.unit_code, asked.seconds) or ()
        told = LocateOut.of(answer, "wgs84", asked.matter)
        people = [each.person_id for each in answer.responsible]
        people += [each.person for each in answer.duties.considered] if answer.duties else []
        text = told.model_dump_json(exclude=_VARIES).encode()[1:-1]
        fixed = Fixed(
            since=max(since, *(each.since for each in spans)),
            until=min(until, *(each.until for each in spans)),
            json=text,
            digest=hashlib.blake2b(text, digest_size=16).digest(),
            people=" ".join(dict.fromkeys(map(str, people))),
            unit=grid.unit_code,
            grid=grid.grid_id,
        )
        if len(self._fixed) >= KEPT:
            self._fixed.clear()
        self._fixed[key] = fixed
        return fixed


def _sees_all(snapshot: Snapshot, scope: Area, unit: str, asked: Asked) -> bool:
    """Whether everybody who may be considered for a place lies in the caller's sight.

    Who is assigned to a grid or unit of a county, or stands in there, is seen by whoever sees the
    county; departments of what is above it are not.
    """
    concerned = snapshot.roster.concerned(unit, asked.matter, asked.seconds)
    return scope.covers(unit[:COUNTY]) and all(len(each.area) >= COUNTY for each in concerned)


def _shown(headers: Iterable[tuple[bytes, bytes]], cookie: bytes) -> Shown | None:
    """Who asks, by one key or session; None where it is not plain."""
    secret, cookies, tag, language = None, b"", b"", b""
    for name, value in headers:
        if name == b"authorization":
            if secret is not None:
                return None
            secret = value
        elif name == b"cookie":
            cookies += value + b";"
        elif name == b"if-none-match":
            tag = value
        elif name == b"accept-language":
            language = value
    if secret is not None:
        if secret[:7].lower() != b"bearer " or not (key := secret[7:].strip()).startswith(_KEY):
            return None
        credential = Credential(hashlib.sha256(key).digest(), is_key=True)
    else:
        tokens = [each for each in cookies.split(b";") if each.strip().startswith(cookie + b"=")]
        if len(tokens) != 1:
            return None
        token = tokens[0].strip()[len(cookie) + 1 :].strip(b'"')
        credential = Credential(hashlib.sha256(token).digest(), is_key=False)
    return Shown(credential, tag, preferred(language.decode("latin-1")))


_KEY: Final = KEY_PREFIX.encode()


def _asked(query: bytes, settings: ServerSettings) -> Asked | None:
    """What is asked; None where a parameter is unknown, doubled, missing or out of range."""
    found: dict[str, str] = {}
    for part in query.decode("latin-1").split("&"):
        name, _, value = part.partition("=")
        if name not in KNOWN or name in found:
            return None
        found[name] = unquote_plus(value) if "%" in value or "+" in value else value
    if "lon" not in found or "lat" not in found:
        return None
    crs = found.get("crs", "wgs84")
    lon, lat = float(found["lon"]), float(found["lat"])
    if crs != "wgs84" or not (-180 <= lon <= 180 and -90 <= lat <= 90):
        lon, lat = position(lon, lat, crs)
    at = parse_time(found["at"], "at", settings) if "at" in found else datetime.now(UTC)
    accuracy = float(found["accuracy_m"]) if "accuracy_m" in found else None
    if accuracy is not None and not 0 < accuracy <= MOST_VAGUE_M:
        return None
    explain = found.get("explain", "false")
    if explain not in ("true", "false"):
        return None
    matter = found.get("category")
    return Asked(
        lon, lat, crs, at, "at" in found, at.timestamp(), accuracy, matter, explain == "true"
    )


def _doubt(
    snapshot: Snapshot, asked: Asked, entry: Admitted, grid: int, language: Language
) -> bytes:
    found = snapshot.candidates(
        asked.lon, asked.lat, asked.seconds, asked.accuracy_m or 0, entry.caller.scope
    )
    confidence = next((each.share for each in found if each.grid_id == grid), 0.0)
    shown = _CANDIDATES.dump_json([CandidateOut.of(each) for each in found])
    asks = confidence < ASK_BACK_BELOW
    text = asking.doubt(found, language) if asks and found else None
    sure = (
        f'"confidence":{confidence!r},"ask_back":{"true" if asks else "false"},'
        f'"ask_back_text":{json.dumps(text, ensure_ascii=False)},"candidates":'
    )
    return sure.encode() + shown


def _whole(
    headers: list[tuple[bytes, bytes]], at: datetime, as_of: datetime, own: bytes, rest: bytes
) -> Said:
    first = _written(at)
    times = f'{{"at":"{first}","as_of":"{first if as_of is at else _written(as_of)}",'
    body = b'%b%b,%b,"border":null}' % (times.encode(), own, rest)
    length = str(len(body)).encode()
    return Said(
        200, [*headers, (b"content-type", b"application/json"), (b"content-length", length)], body
    )


def _written(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def begin(state: Any, database: Database, stopping: Event) -> list[Thread]:
    """Answer from memory as soon as there is a snapshot; the threads that see to it.

    Where the data folder cannot be written (a foreign database needs none) there are none, and the
    database is asked each time.
    """
    folder = database.settings.data_dir
    try:
        journal = Journal(database, folder / "journal")
    except OSError as error:
        log.warning("locate asks the database each time: %s: %s", folder, error.strerror)
        return []
    keeper = Keeper(database, folder / "index")
    located = Located(keeper, journal, Admissions(database))
    keeper.on_access = located.admissions.look_again
    state.located = located
    threads = [
        Thread(target=_keep, args=(keeper, stopping), daemon=True),
        Thread(target=located.admissions.keep_renewing, args=(stopping,), daemon=True),
        Thread(target=located.journal.keep_entering, args=(stopping,), daemon=True),
    ]
    for thread in threads:
        thread.start()
    return threads


def _keep(keeper: Keeper, stopping: Event) -> None:
    """Keep a snapshot, once what answers from it is compiled: the event loop never compiles."""
    if warming.make_aside(urgent, stopping):
        keeper.keep(stopping)
