"""``GET /api/v1/locate`` from memory, beside FastAPI: the same answer without asking the database.

It answers what it can vouch for: a program's key that was let in a second ago, a place within the
key's area and within a grid, a snapshot that was compared with the database a second ago. All else
goes on to the route in ``routes/locate.py``, which also lets the key in. While the database is away
it goes on with what it knows, and says as of when.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote_plus

from pydantic import TypeAdapter

from api.dependencies import parse_time
from api.schemas.places import CandidateOut, LocateOut
from boundaries.access import Caller, Credential
from boundaries.accounts.credentials import KEY_PREFIX
from gis.audit.journal import Journal
from gis.errors import WanggeError
from grids.incidents.responsibility import ASK_BACK_BELOW, position
from grids.locating.keeper import Keeper
from grids.locating.snapshot import ON_BORDER_M

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from api.settings import ServerSettings
    from gis.audit import Context
    from gis.database import Database
    from grids.locating.facts import EditionFacts, UnitFacts
    from grids.locating.snapshot import Hit, Snapshot

log = logging.getLogger("wangge.api")

PATH: Final = "/api/v1/locate"
KNOWN: Final = frozenset({"lon", "lat", "at", "accuracy_m", "crs", "category"})
LONGEST_QUERY: Final = 512
AGAIN_S: Final = 0.5
"""After so long one request lets the key in anew, the others go on."""
ADMITTED_S: Final = 1.0
"""After so long none goes on."""
CUT_OFF_S: Final = 900.0
"""How long a key is believed while the database is away."""
KEPT: Final = 50_000
WORST_ACCURACY_M: Final = 100_000.0
RIGHT: Final = "grids.read"
_CANDIDATES: Final = TypeAdapter(list[CandidateOut])
_VARIES: Final = {"at", "as_of", "point", "distance_to_border_m", "confidence", "candidates",
                  "ask_back"}  # fmt: skip


@dataclass(slots=True)
class Admitted:
    """A key that was let in, by whom, and when."""

    caller: Caller
    context: Context
    at: float
    again_at: float
    origins: dict[str, tuple[str, Context]] = field(default_factory=dict)


class Fixed(NamedTuple):
    """What of an answer is the same for all places of a grid, for a time."""

    since: float
    until: float
    json: bytes
    people: str
    unit: str
    grid: int


class Shown(NamedTuple):
    """Hash of the key that a request shows, and the tag of what the client has already."""

    key: bytes
    tag: bytes


class Asked(NamedTuple):
    """A place in WGS 84 and a moment, as time and in seconds since 1970."""

    lon: float
    lat: float
    crs: str
    at: datetime
    seconds: float
    accuracy_m: float | None
    matter: str | None


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
    admitted: dict[bytes, Admitted] = field(default_factory=dict)

    def admit(self, credential: Credential, caller: Caller, context: Context) -> None:
        """A key was let in by the database just now."""
        if credential.is_key and caller.key_id is not None and caller.may(RIGHT):
            if len(self.admitted) >= KEPT:
                self.admitted.clear()
            now = time.monotonic()
            context = replace(context, origin="")
            self.admitted[credential.hash] = Admitted(caller, context, now, now)

    def entry(self, key: bytes) -> Admitted | None:
        """Whom a key lets in, if the database said so just now."""
        found = self.admitted.get(key)
        if found is None:
            return None
        now = time.monotonic()
        age = now - found.at
        if self.keeper.is_cut_off:
            return found if age < CUT_OFF_S else None
        if age > ADMITTED_S:
            return None
        if age > AGAIN_S and now - found.again_at > AGAIN_S:
            found.again_at = now
            return None  # this one lets the key in anew
        return found

    def forget(self) -> None:
        """Somebody's access may have changed: every key is let in anew."""
        if not self.keeper.is_cut_off:
            self.admitted.clear()


class ThinLocate:
    """Answers from memory, or hands on."""

    def __init__(self, app: ASGIApp, state: Any) -> None:
        self.app, self.state = app, state
        self._fixed: dict[tuple[Any, ...], Fixed] = {}
        self._of: Snapshot | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        if scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "GET":
            begun = time.perf_counter()
            answer = self._answer(scope)
            if answer is not None:
                spent = f"locate;dur={(time.perf_counter() - begun) * 1000:.3f}"
                headers = [*answer.headers, (b"server-timing", spent.encode())]
                await send(
                    {"type": "http.response.start", "status": answer.status, "headers": headers}
                )
                await send({"type": "http.response.body", "body": answer.body})
                return
        await self.app(scope, receive, send)

    def _answer(self, scope: Scope) -> Said | None:
        located: Located | None = self.state.located
        shown = _shown(scope)
        if located is None or shown is None or len(scope["query_string"]) > LONGEST_QUERY:
            return None
        keeper, entry = located.keeper, located.entry(shown.key)
        snapshot = keeper.snapshot if keeper.is_current or keeper.is_cut_off else None
        if snapshot is None or entry is None:
            return None
        try:
            asked = _asked(scope["query_string"], self.state.settings)
            if asked is None:
                return None
            found = self._find(snapshot, asked, entry)
            if found is None:
                return None
            fixed, rest = found
            if entry.caller.per_minute is not None:
                self.state.rate_limits.take(entry.caller.key_id, entry.caller.per_minute)
            # Before anything is handed out, also where the client has it already.
            if fixed.people:
                _write_down(scope, located, entry, fixed)
        except (WanggeError, ValueError, OSError):
            return None  # the route says what is wrong
        as_of = datetime.now(UTC)
        if keeper.is_cut_off:
            as_of = datetime.fromtimestamp(keeper.as_of, UTC)
        return _said(asked.at, as_of, rest, shown.tag)

    def _find(
        self, snapshot: Snapshot, asked: Asked, entry: Admitted
    ) -> tuple[Fixed, bytes] | None:
        """What is fixed for the grid of a place, and all of the answer but its times."""
        if asked.matter is not None and asked.matter not in snapshot.roster.categories:
            return None
        hits = snapshot.find(asked.lon, asked.lat, asked.seconds)
        if "base" not in hits or not entry.caller.scope.covers(hits["base"].grid.unit_code):
            return None
        hit = hits["base"]
        border_m = hit.compiled.locator.border_distance_m(asked.lon, asked.lat, hit.position)
        if border_m <= ON_BORDER_M:
            return None  # the route tells that it is on the border
        fixed = self._parts(snapshot, hits, asked)
        if fixed is None:
            return None
        doubt = b'"confidence":null,"candidates":[],"ask_back":false'
        if asked.accuracy_m is not None:
            doubt = _doubt(snapshot, asked, entry, fixed.grid)
        place = f'"point":{{"lon":{asked.lon!r},"lat":{asked.lat!r},"crs":{json.dumps(asked.crs)}}}'
        place += f',"distance_to_border_m":{border_m!r}'
        return fixed, b",".join((place.encode(), doubt, fixed.json))

    def _parts(self, snapshot: Snapshot, hits: dict[str, Hit], asked: Asked) -> Fixed | None:
        """What is the same for all places of a grid; None where the database has to be asked."""
        if snapshot is not self._of:
            self._fixed, self._of = {}, snapshot
        places = ((kind, hit.compiled.edition.id, hit.position) for kind, hit in hits.items())
        key = (asked.matter, *places)
        found = self._fixed.get(key)
        if found is not None and found.since <= asked.seconds < found.until:
            return found
        answer = snapshot.answer(asked.lon, asked.lat, at=asked.at, matter=asked.matter)
        if answer is None or answer.reason == "on_border":
            return None
        grid = hits["base"].grid
        since, until = snapshot.roster.steady(
            grid=grid.grid_id,
            unit=grid.unit_code,
            at=asked.seconds,
            exclusive=hits["exclusive"].grid.grid_id if "exclusive" in hits else None,
            matter=asked.matter,
        )
        spans: list[EditionFacts | UnitFacts] = [hit.compiled.edition for hit in hits.values()]
        spans += snapshot.chain(grid.unit_code, asked.seconds) or ()
        told = LocateOut.of(answer, "wgs84", asked.matter)
        fixed = Fixed(
            since=max(since, *(each.since for each in spans)),
            until=min(until, *(each.until for each in spans)),
            json=told.model_dump_json(exclude=_VARIES).encode()[1:-1],
            people=" ".join(str(each.person_id) for each in answer.responsible),
            unit=grid.unit_code,
            grid=grid.grid_id,
        )
        if len(self._fixed) >= KEPT:
            self._fixed.clear()
        self._fixed[key] = fixed
        return fixed


def _shown(scope: Scope) -> Shown | None:
    """The key that a request shows, and the tag of what the client has; None without one key."""
    secret, tag = None, b""
    for name, value in scope["headers"]:
        if name == b"authorization":
            if secret is not None:
                return None
            secret = value
        elif name == b"if-none-match":
            tag = value
    if secret is None or secret[:7].lower() != b"bearer ":
        return None
    text = secret[7:].strip().decode("latin-1")
    if not text.startswith(KEY_PREFIX):
        return None
    return Shown(Credential.of(text, is_key=True).hash, tag)


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
    if accuracy is not None and not 0 < accuracy <= WORST_ACCURACY_M:
        return None
    return Asked(lon, lat, crs, at, at.timestamp(), accuracy, found.get("category"))


def _write_down(scope: Scope, located: Located, entry: Admitted, fixed: Fixed) -> None:
    client = scope.get("client")
    origin = client[0] if client else ""
    known = entry.origins.get(origin)
    if known is None:
        known = (f"{entry.caller.key_id}@{origin}", replace(entry.context, origin=origin))
        entry.origins[origin] = known
    located.journal.note(*known, fixed.unit, fixed.grid, fixed.people)


def _doubt(snapshot: Snapshot, asked: Asked, entry: Admitted, grid: int) -> bytes:
    found = snapshot.candidates(
        asked.lon, asked.lat, asked.seconds, asked.accuracy_m or 0, entry.caller.scope
    )
    confidence = next((each.share for each in found if each.grid_id == grid), 0.0)
    shown = _CANDIDATES.dump_json([CandidateOut.of(each) for each in found])
    ask_back = "true" if confidence < ASK_BACK_BELOW else "false"
    sure = f'"confidence":{confidence!r},"ask_back":{ask_back},"candidates":'
    return sure.encode() + shown


def _said(at: datetime, as_of: datetime, rest: bytes, known: bytes) -> Said:
    tag = b'W/"' + hashlib.blake2b(rest, digest_size=12).hexdigest().encode() + b'"'
    headers = [(b"etag", tag), (b"cache-control", b"private, no-cache")]
    if tag in known:
        return Said(304, headers, b"")
    times = f'{{"at":"{_written(at)}","as_of":"{_written(as_of)}",'
    body = times.encode() + rest + b"}"
    length = str(len(body)).encode()
    headers += [(b"content-type", b"application/json"), (b"content-length", length)]
    return Said(200, headers, body)


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
    located = Located(keeper, journal)
    keeper.on_access = located.forget
    state.located = located
    threads = [
        Thread(target=keeper.keep, args=(stopping,), daemon=True),
        Thread(target=located.journal.keep_entering, args=(stopping,), daemon=True),
    ]
    for thread in threads:
        thread.start()
    return threads
