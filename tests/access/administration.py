"""What is asked of people, exports, accounts, grants and keys: by lists, and by others' ids."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tests.access import rules
from tests.access.place import (
    A11,
    B11,
    EXPORTED,
    GRIDS,
    WHOLE,
    Caller,
    middle,
    report,
    sign_code,
    word,
)
from tests.access.question import Question, marks_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.access.conftest import Answer
    from tests.access.place import Place, Row

API: Final = "/api/v1"
OTHERS: Final = tuple(Caller("dispatcher", area).login for area in (WHOLE, A11, B11))
"""Accounts whose ids are tried: above, inside and elsewhere."""


def _body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def _asked(method: str, path: str, status: int, *rows: Row, **more: Any) -> Question:
    door = f"{method}:{API}{path}"
    return Question(door, method, f"{API}{path}", status, marks_of(rows), **more)


def _with_id(method: str, path: str, id_: object, status: int, *rows: Row, **more: Any) -> Question:
    where = f"{API}{path.replace('{id}', str(id_))}"
    return Question(f"{method}:{API}{path}", method, where, status, marks_of(rows), **more)


def _detail(prefix: str, id_: object) -> Callable[[Answer], str | None]:
    """The words of a 404, which are the same for an id that nobody has."""
    wanted = f"{prefix} {id_}"

    def look(answer: Answer) -> str | None:
        found = json.loads(answer.body)["detail"]
        return None if found == wanted else f"it says {found!r}"

    return look


# People


def _people(place: Place, caller: Caller) -> Iterator[Question]:
    rows = rules.visible(place, caller, "person")
    yield _asked("GET", "/people", 200, *rows, query="limit=1000")


def _search_people(place: Place, caller: Caller) -> Iterator[Question]:
    rows = rules.visible(place, caller, "person")
    for code in (GRIDS[0], GRIDS[8]):
        found = [row for row in rows if row.key == code]
        part = word("person", code)[2:10]
        yield _asked("POST", "/people/search", 200, *found, body=_body(name=part))
    yield _asked("POST", "/people/search", 200, body=_body(phone="13800138000"))


def _reveal_person(place: Place, caller: Caller) -> Iterator[Question]:
    path, body = "/people/{id}/reveal", _body(field="phone", reason="a call back")
    seen = rules.visible(place, caller, "person")
    for row in place.rows["person"]:
        if row.key in {GRIDS[0], GRIDS[2], GRIDS[8]}:
            id_ = next(key for (table, key), mark in place.keys.items()
                       if table == "persons" and mark == row.mark)  # fmt: skip
            if row in seen:
                yield _with_id("POST", path, id_, 200, body=body)
            else:
                look = _detail("there is no person", id_)
                yield _with_id("POST", path, id_, 404, body=body, look=look)


def _reveal_reporter(place: Place, caller: Caller) -> Iterator[Question]:
    path, body = "/incidents/{id}/reporter/reveal", _body(reason="a call back")
    seen = rules.visible(place, caller, "reporter")
    for row in place.rows["reporter"]:
        if row.key in {GRIDS[0], GRIDS[2], GRIDS[8]}:
            id_ = report(next(i for i in place.rows["incident"] if i.key == row.key))["id"]
            if row in seen:
                yield _with_id("POST", path, id_, 200, row, body=body)
            else:
                look = _detail("nobody is kept as having reported incident", id_)
                yield _with_id("POST", path, id_, 404, body=body, look=look)


# What is told to a worker of themselves


def _own_tracks(place: Place, caller: Caller) -> Iterator[Question]:
    """Walks of the caller's own person, in whatever area, and nobody else's: not by a cursor."""
    numbers = {mark: number for (table, number), mark in place.keys.items()
               if table == "track_fixes"}  # fmt: skip
    for row in place.rows["patrol"]:
        if not (row.person and row.person == caller.person):
            cursor = numbers["fix", row.key]
            yield _asked("GET", "/me/tracks", 422, query=f"cursor={cursor}")
    rows = [row for row in place.rows["patrol"] if row.person and row.person == caller.person]

    def look(answer: Answer) -> str | None:
        """Each has one exact fix, and the rest of one that was reduced."""
        features = json.loads(answer.body)["features"]
        told = sorted(str(each["properties"]["patrol"]) for each in features)
        wanted = sorted(2 * [numbers["fix", row.key] for row in rows])
        return None if told == wanted else f"it shows the patrols {told}, not {wanted}"

    yield _asked("GET", "/me/tracks", 200, *rows, query="limit=50", look=look)
    yield _asked("GET", "/me/tracks", 200, query="start=2026-03-01T00:00:00Z")


def _own_looks(place: Place, caller: Caller) -> Iterator[Question]:
    """Those at the caller's own person; whoever is no person is looked at by nobody."""

    def look(answer: Answer) -> str | None:
        found = json.loads(answer.body)["items"]
        return None if caller.person or not found else f"it shows {len(found)} looks"

    # They name whoever looked, of any area: the account's name is its mark.
    names = marks_of(place.rows["account"]) if caller.person else frozenset()
    yield Question(f"GET:{API}/me/looks", "GET", f"{API}/me/looks", 200, names, query="limit=1000",
                   look=look, at_most=True)  # fmt: skip


# Exports


def _exports(place: Place, caller: Caller) -> Iterator[Question]:
    rows = rules.visible(place, caller, "exports")
    yield _asked("GET", "/exports", 200, *rows, query="limit=1000")


def _export(place: Place, caller: Caller) -> Iterator[Question]:
    seen = rules.visible(place, caller, "exports")
    for row, id_ in _tried_exports(place, caller):
        if row in seen:
            yield _with_id("GET", "/exports/{id}", id_, 200, row)
        else:
            look = _detail("there is no export", id_)
            yield _with_id("GET", "/exports/{id}", id_, 404, look=look)


def _tried_exports(place: Place, caller: Caller) -> list[tuple[Row, Any]]:
    tried = {caller.login, *OTHERS}
    return [(row, place.ids[row.mark]) for row in place.rows["exports"] if row.by in tried]


def _export_file(place: Place, caller: Caller) -> Iterator[Question]:
    path = "/exports/{id}/file"
    for row, id_ in _tried_exports(place, caller):
        if row.by != caller.login:
            look = _detail("there is no export", id_)
            yield _with_id("GET", path, id_, 404, look=look)
            continue
        collection = row.key.split()[1]
        kind = {"people": "person", "grids": "grid", "cameras": "camera"}.get(collection)
        if kind:
            yield _with_id("GET", path, id_, 200, *rules.visible(place, caller, kind))
        else:
            yield _incident_file(place, caller, id_)


def _incident_file(place: Place, caller: Caller, id_: object) -> Question:
    """Of an incident the file also names, by their ids, who answered and who reported it."""
    incidents = rules.visible(place, caller, "incident")
    marks = set(marks_of(incidents))
    marks |= {("person", each.person) for each in incidents if each.person}
    marks |= {("account", each.by) for each in incidents if each.by}
    marks |= marks_of(rules.visible(place, caller, "said"))
    if caller.role == "analyst":  # who counts incidents does not take along what was said
        marks -= {mark for mark in marks if mark[0] == "said"}
    where = f"{API}/exports/{id_}/file"
    return Question(f"GET:{API}/exports/{{id}}/file", "GET", where, 200, frozenset(marks))


def _ask_export(_place: Place, _caller: Caller) -> Iterator[Question]:
    body = _body(collection="grids", purpose="short")
    yield _asked("POST", "/exports", 422, body=body)


def _decide(place: Place, caller: Caller) -> Iterator[Question]:
    """What is not there, and what is ready already and so waits for nobody."""
    seen = rules.visible(place, caller, "exports")
    body = _body(approve=True)
    for row, id_ in _tried_exports(place, caller):
        status = 409 if row in seen else 404
        yield _with_id("POST", "/exports/{id}/decision", id_, status, body=body)


# Accounts


def _accounts(place: Place, caller: Caller) -> Iterator[Question]:
    """A worker's account names its person, by id."""
    rows = rules.visible(place, caller, "account")
    marks = marks_of(rows) | {("person", row.person) for row in rows if row.person}
    yield Question(f"GET:{API}/accounts", "GET", f"{API}/accounts", 200, frozenset(marks))


def _account(place: Place, caller: Caller) -> Iterator[Question]:
    for row, is_seen in _tried_accounts(place, caller):
        id_ = place.ids[row.mark]
        if is_seen:
            yield _with_id("GET", "/accounts/{id}", id_, 200, row)
        else:
            look = _detail("there is no account", id_)
            yield _with_id("GET", "/accounts/{id}", id_, 404, look=look)


def _tried_accounts(place: Place, caller: Caller) -> list[tuple[Row, bool]]:
    return [
        (row, rules.sees(caller, row)) for row in place.rows["account"] if row.by in OTHERS
    ]  # fmt: skip


def _hidden_account(method: str, path: str, **fields: Any) -> Callable[..., Iterator[Question]]:
    """A change of an account that the caller does not see; of others nothing is changed here."""

    def make(place: Place, caller: Caller) -> Iterator[Question]:
        for row, is_seen in _tried_accounts(place, caller):
            if not is_seen or not rules.may_ask(caller, f"{method}:{API}{path}"):
                id_ = place.ids[row.mark]
                body = _body(**fields) if fields else None
                look = _detail("there is no account", id_)
                yield _with_id(method, path, id_, 404, body=body, look=look)

    return make


def _devices(place: Place, caller: Caller) -> Iterator[Question]:
    for row, is_seen in _tried_accounts(place, caller):
        devices = [each for each in place.rows["sessions"] if each.by == row.by] if is_seen else []
        id_, status = place.ids[row.mark], 200 if is_seen else 404
        yield _with_id("GET", "/accounts/{id}/sessions", id_, status, *devices)


def _open_account(_place: Place, caller: Caller) -> Iterator[Question]:
    """In another area than one's own."""
    body = _body(login="new.account", name="New", area_code=WHOLE)
    if caller.area != WHOLE:
        yield _asked("POST", "/accounts", 403, body=body)
    yield _asked("POST", "/accounts", 422, body=_body(login="new.account", name="", area_code=""))


# Grants and keys


def _grants(place: Place, caller: Caller) -> Iterator[Question]:
    yield _asked("GET", "/grants", 200, *rules.visible(place, caller, "area_grants"))
    yield _asked("GET", "/grants", 200, query="in_force=true")


def _give(place: Place, caller: Caller) -> Iterator[Question]:
    more = {"reason": "a joint case", "until": "2026-12-31T00:00:00+08:00"}
    for row, is_seen in _tried_accounts(place, caller):
        if not is_seen:
            body = _body(login=row.by, area_code=A11, **more)
            yield _asked("POST", "/grants", 422, body=body)
        elif not B11.startswith(caller.area):
            # Nobody gives an area that is not theirs to give.
            yield _asked("POST", "/grants", 403, body=_body(login=row.by, area_code=B11, **more))


def _any_grant(method: str, path: str) -> Callable[..., Iterator[Question]]:
    """Others' grants: what the caller does not see can be neither ended nor marked by it."""

    def make(place: Place, caller: Caller) -> Iterator[Question]:
        may = rules.may_ask(caller, f"{method}:{API}{path}")
        for row in place.rows["area_grants"]:
            if row.by in OTHERS and not (may and rules.sees(caller, row)):
                yield _with_id(method, path, place.ids["area_grants", row.by], 404)

    return make


def _keys(place: Place, caller: Caller) -> Iterator[Question]:
    yield _asked("GET", "/keys", 200, *rules.visible(place, caller, "api_keys"))


def _issue(place: Place, caller: Caller) -> Iterator[Question]:
    for row, is_seen in _tried_accounts(place, caller):
        if not is_seen:
            yield _asked("POST", "/keys", 422, body=_body(login=row.by, name="mine"))


def _revoke(place: Place, caller: Caller) -> Iterator[Question]:
    for row, is_seen in _tried_accounts(place, caller):
        if not is_seen or not rules.may_ask(caller, f"DELETE:{API}/keys/{{id}}"):
            yield _with_id("DELETE", "/keys/{id}", place.ids["api_keys", row.by], 404)


# Signs


def _signs(place: Place, caller: Caller) -> Iterator[Question]:
    yield _asked("GET", "/signs", 200, *rules.visible(place, caller, "sign"))


def _put_up(_place: Place, caller: Caller) -> Iterator[Question]:
    if not B11.startswith(caller.area):
        lon, lat = middle(B11)
        body = _body(place_name="mine", lon=lon, lat=lat)
        yield _asked("POST", "/signs", 403, body=body)


def _hidden_sign(method: str, path: str) -> Callable[..., Iterator[Question]]:
    def make(place: Place, caller: Caller) -> Iterator[Question]:
        may = rules.may_ask(caller, f"{method}:{API}{path}")
        for row in place.rows["sign"]:
            if not (may and rules.sees(caller, row)):
                yield _with_id(method, path, sign_code(row.key), 404)

    return make


# The log


def _log(place: Place, caller: Caller) -> Iterator[Question]:
    rows = [*rules.visible(place, caller, "audit"), *rules.visible(place, caller, "purpose")]
    yield _asked("GET", "/audit", 200, *rows, query="action=test")


# One's own devices, password and second factor


def _sessions(place: Place, caller: Caller) -> Iterator[Question]:
    rows = [row for row in place.rows["sessions"] if row.by == caller.login]
    yield _asked("GET", "/sessions", 200, *rows)


def _persons_own(method: str, path: str, **fields: Any) -> Callable[..., Iterator[Question]]:
    def make(place: Place, _caller: Caller) -> Iterator[Question]:
        body = _body(**fields) if fields else None
        yield _with_id(method, path, place.ids["sessions", OTHERS[-1]], 403, body=body)

    return make


_WRITES: Final = {
    "PUT:/accounts/{id}/role": {"role": "dispatcher", "area_code": A11},
    "PUT:/accounts/{id}/state": {"disabled": True},
    "POST:/accounts/{id}/password": {},
    "DELETE:/accounts/{id}/totp": {},
    "DELETE:/accounts/{id}/sessions": {},
}
_OWN: Final[dict[str, dict[str, Any]]] = {
    "DELETE:/session": {},
    "DELETE:/sessions": {},
    "DELETE:/sessions/{id}": {},
    "PUT:/password": {"current": "a" * 12, "new": "b" * 12},
    "POST:/totp": {"current": "a" * 12},
    "PUT:/totp": {"code": "123456"},
    "POST:/totp/removal": {"current": "a" * 12},
    "POST:/grants/break-glass": {"area_code": B11, "reason": "nobody is on duty there"},
}
MAKERS: Final = {
    f"{method}:{API}{path}": make
    for (method, path), make in {
        ("GET", "/people"): _people,
        ("POST", "/people/search"): _search_people,
        ("POST", "/people/{id}/reveal"): _reveal_person,
        ("POST", "/incidents/{id}/reporter/reveal"): _reveal_reporter,
        ("GET", "/me/tracks"): _own_tracks,
        ("GET", "/me/looks"): _own_looks,
        ("GET", "/exports"): _exports,
        ("POST", "/exports"): _ask_export,
        ("GET", "/exports/{id}"): _export,
        ("GET", "/exports/{id}/file"): _export_file,
        ("POST", "/exports/{id}/decision"): _decide,
        ("GET", "/accounts"): _accounts,
        ("POST", "/accounts"): _open_account,
        ("GET", "/accounts/{id}"): _account,
        ("GET", "/accounts/{id}/sessions"): _devices,
        **{
            tuple(door.split(":")): _hidden_account(*door.split(":"), **fields)
            for door, fields in _WRITES.items()
        },
        ("GET", "/grants"): _grants,
        ("POST", "/grants"): _give,
        ("POST", "/grants/{id}/seen"): _any_grant("POST", "/grants/{id}/seen"),
        ("DELETE", "/grants/{id}"): _any_grant("DELETE", "/grants/{id}"),
        ("GET", "/keys"): _keys,
        ("POST", "/keys"): _issue,
        ("DELETE", "/keys/{id}"): _revoke,
        ("GET", "/signs"): _signs,
        ("POST", "/signs"): _put_up,
        ("DELETE", "/signs/{id}"): _hidden_sign("DELETE", "/signs/{id}"),
        ("GET", "/signs/{id}/poster.pdf"): _hidden_sign("GET", "/signs/{id}/poster.pdf"),
        ("GET", "/audit"): _log,
        ("GET", "/sessions"): _sessions,
        **{
            tuple(door.split(":")): _persons_own(*door.split(":"), **fields)
            for door, fields in _OWN.items()
        },
    }.items()
}
assert set(EXPORTED) == {
    role for role in EXPORTED if rules.may_ask(Caller(role, WHOLE), f"POST:{API}/exports")
}
