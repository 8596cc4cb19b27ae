"""Workers: persons, what they answer for and when, and their leaves; one row per assignment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import pandas as pd
import psycopg.errors
import sqlalchemy as sa
from sqlalchemy.orm import undefer

from data.importers import history, moments, values, writing
from data.importers.routes import find_targets, known_routes
from data.importers.work import Kind, Work, county_of, stable_ids
from gis.database import execute
from gis.errors import BadInput
from gis.secrets import Keyring
from gis.wording import counted
from grids.people import personal
from grids.people.models import Person

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

ROLES: Final = ("grid_worker", "deputy", "grid_head", "building_head", "border_guard")
ROLE_WORDS: Final = {
    "网格员": "grid_worker", "专职网格员": "grid_worker", "兼职网格员": "grid_worker",
    "worker": "grid_worker", "副网格员": "deputy", "代班网格员": "deputy", "网格长": "grid_head",
    "head": "grid_head", "楼栋长": "building_head", "楼长": "building_head",
    "护边员": "border_guard", "guard": "border_guard",
}  # fmt: skip
EMPLOYMENT_WORDS: Final = {
    "专职": "full", "全职": "full", "full-time": "full", "兼职": "part", "part-time": "part",
}  # fmt: skip
TARGETS: Final = {"building_head": "building", "border_guard": "route"}
_PERSON: Final = ("county_code", "source", "external_id", "name", "employment")


def prepare(work: Work) -> None:
    """Persons and roles, what each answers for, from when to when."""
    report = work.report
    frame = pd.DataFrame(index=work.frame.index)
    names = values.texts(work.column("name"))
    if names.isna().any():
        report.reject(
            names.index[names.isna()], "there is no name", "Give one.", field=work.field("name")
        )
    frame["external_id"] = stable_ids(work, ("name",))
    frame["name"] = names
    frame["role"] = values.chosen(
        work.column("role"), report, work.field("role"), ROLE_WORDS, allowed=ROLES,
        default="grid_worker",
    )  # fmt: skip
    frame["employment"] = values.chosen(
        work.column("employment"), report, work.field("employment"), EMPLOYMENT_WORDS,
        allowed=("full", "part"), default="full",
    )  # fmt: skip
    for name in ("grid", "building", "route", "deputy"):
        frame[name] = values.texts(work.column(name))
    for name in personal.FIELDS:
        frame[name] = _numbers(work, name)
    _check_targets(work, frame)
    for begin, end in (("valid_from", "valid_to"), ("leave_from", "leave_to")):
        frame[begin] = _moments(work, begin)
        frame[end] = _moments(work, end, last=True)
        wrong = (frame[end] <= frame[begin]).fillna(value=False)
        if wrong.any():
            report.reject(
                frame.index[wrong], "it ends before it begins", "Exchange the two dates.",
                field=work.field(end),
            )  # fmt: skip
    half = frame["leave_from"].isna() != frame["leave_to"].isna()
    if half.any():
        report.reject(
            frame.index[half], "a leave needs its first and its last day", "Give both.",
            field=work.field("leave_from"),
        )  # fmt: skip
    frame["is_primary"] = _primary(work, frame)
    _check_persons(work, frame)
    work.records["workers"] = frame[report.stands(frame.index)]


def _moments(work: Work, name: str, *, last: bool = False) -> pd.Series[Any]:
    """Moments of a column; a last day without a clock time counts to its end."""
    # That days are local days goes without saying.
    found = moments.times(
        work.column(name), work.report, work.field(name), timezone=work.options.timezone,
        say_zone=False,
    )  # fmt: skip
    if not last:
        return found
    zone = ZoneInfo(work.options.timezone)
    midnight = found.map(
        lambda m: not pd.isna(m) and m.astimezone(zone).time() == datetime.min.time()
    ).astype(bool)
    return found.where(~midnight, found + timedelta(days=1))


def _numbers(work: Work, name: personal.Field) -> pd.Series[Any]:
    """Phones or id numbers as they are kept; what is none is left out and said, never repeated."""
    found = values.texts(work.column(name))
    normal = found.astype(object)
    wrong = []
    for row, text in found.dropna().items():
        try:
            normal[row] = personal.NORMAL[name](text)
        except BadInput:
            normal[row] = None
            wrong.append(row)
    if wrong:
        work.report.add(
            "warned", f"the {name.replace('_', ' ')} is none, and is not kept",
            "Compare it with the card or the person.", rows=wrong, field=work.field(name),
        )  # fmt: skip
    return normal


def _keep_numbers(
    work: Work, session: Session, frame: pd.DataFrame, people: dict[str, list[Any]]
) -> None:
    """Write phones and id numbers that are new or other than those kept."""
    given = {
        (people[row.external_id.lower()][0], name): getattr(row, name)
        for row in frame.itertuples()
        for name in personal.FIELDS
        if getattr(row, name) is not None and not pd.isna(getattr(row, name))
    }
    path = work.options.secrets
    if not given or path is None:
        return
    if not (work.options.commit or path.exists()):
        # A dry run makes no keys: without any, nothing can have been kept before.
        said = counted(len(given), "phone or id number is", "phones and id numbers are")
        work.report.note(f"{said} new")
        return
    keyring = Keyring.open(path)
    kept = 0
    for (person, name), value in given.items():
        who = session.get_one(Person, person, options=[undefer(getattr(Person, f"{name}_hash"))])
        if getattr(who, f"{name}_hash") in keyring.search_hashes(value, kind=name):
            continue
        personal.keep(session, who, name, value, keyring=keyring, actor=work.options.actor)
        kept += 1
    said = counted(kept, "phone or id number is", "phones and id numbers are")
    work.report.note(f"{said} new or other than before; they are kept encrypted")


def _check_targets(work: Work, frame: pd.DataFrame) -> None:
    """Reject roles without, or with another kind of, what they are for."""
    for row in frame.index:
        role = frame.at[row, "role"]
        given = [name for name in ("grid", "building", "route") if frame.at[row, name] is not None]
        wanted = TARGETS.get(role, "grid") if role is not None else None
        if wanted is None or given in ([], [wanted]):
            continue
        work.report.reject(
            [row],
            f"a {role} answers for a {wanted}, but the row names a {' and a '.join(given)}",
            "Give each assignment its own row, with the one thing that the role is for.",
            field=work.field("role"), group="the role does not fit what the row names",
        )  # fmt: skip
    idle = int(frame[["grid", "building", "route"]].isna().all(axis=1).sum())
    if idle and not work.options.update:
        work.report.note(f"{counted(idle, 'person answers', 'persons answer')} for nothing yet")


def _primary(work: Work, frame: pd.DataFrame) -> pd.Series[Any]:
    """Who answers first: said, else the first grid worker that the file names for the grid."""
    worker = (frame["role"] == "grid_worker") & frame["grid"].notna()
    if work.has("primary"):
        said = values.booleans(
            work.column("primary"), work.report, work.field("primary"), default=False
        )
        return said & worker
    first = worker & ~frame[worker].duplicated("grid").reindex(frame.index, fill_value=False)
    if first.any():
        work.report.note("nobody is said to answer first: the first worker of each grid does")
    return first


def _check_persons(work: Work, frame: pd.DataFrame) -> None:
    """Reject rows in which one person has two names."""
    names = frame.groupby("external_id")["name"].transform("nunique")
    wrong = names > 1
    if wrong.any():
        work.report.reject(
            frame.index[wrong],
            [f"the id {i!r} belongs to several names" for i in frame.loc[wrong, "external_id"]],
            "Give each person one id.",
            field=work.field("id"), group="the id belongs to several names",
        )  # fmt: skip


def store(work: Work, session: Session) -> None:
    """Write persons, then their assignments and leaves."""
    county = county_of(work, session)
    report = work.report
    frame = work.records["workers"]
    frame = _with_targets(work, frame, session, county)
    if frame.empty:
        return
    persons = frame.drop_duplicates("external_id", keep="last").assign(
        county_code=county, source=work.options.source
    )
    told, columns = writing.given(work, persons, _PERSON)
    writing.stage(session, "persons", told[list(columns)])
    made = writing.merge(session, work, "persons", columns)
    report.absent, report.removed = made.absent, made.removed
    report.note(
        f"{counted(made.new, 'person is', 'persons are')} new, {made.changed} changed, "
        f"{made.unchanged} as before"
    )
    people = _people(session, county, work.options.source)
    # Of an update, the further rows of a person who is not there go with the one that was judged.
    lost = ~frame["external_id"].str.lower().isin(list(people)) & report.stands(frame.index)
    report.reject(
        frame.index[lost], "there is no such person", "Correct the id.", field=work.field("id")
    )
    frame = frame[report.stands(frame.index)]
    _keep_numbers(work, session, frame, people)
    outcome = {"new": 0, "changed": 0, "unchanged": 0, "rejected": 0}
    for row in frame.itertuples():
        person = people[row.external_id.lower()][0]
        target = {name: getattr(row, name) for name in ("grid_id", "building_id", "route_id")}
        if any(number is not None for number in target.values()):
            write = partial(
                _assign, session, work, row, county=county, person=person, target=target
            )
            _counted(work, session, row, outcome, write)
        if not pd.isna(row.leave_from):
            deputy = _deputy(work, row, people)
            if deputy is not False:
                write = partial(
                    _leave, session, work, row, county=county, person=person, deputy=deputy
                )
                _counted(work, session, row, outcome, write)
    writing.count(report, writing.Outcome(outcome["new"], outcome["changed"], outcome["unchanged"]))


def _with_targets(
    work: Work, frame: pd.DataFrame, session: Session, county: str | None
) -> pd.DataFrame:
    known = {
        "grid": _keyed(
            session,
            # Of the edition in force; a grid that only comes with the next one is known too.
            "SELECT DISTINCT ON (s.code) s.grid_id AS id, s.code AS key FROM grid_shapes s "
            "JOIN editions e ON e.id = s.edition_id WHERE e.status <> 'draft' "
            "AND e.valid && tstzrange(now(), NULL) AND s.county_code = :county "
            "ORDER BY s.code, lower(e.valid)",
            county,
        ),
        "building": _keyed(
            session,
            "SELECT id, external_id AS key FROM buildings WHERE county_code = :county", county,
        ),
        "route": known_routes(session, county),
    }  # fmt: skip
    numbers = {
        f"{name}_id": find_targets(work, frame[name], known[name], name, name) for name in known
    }
    frame = frame.assign(**numbers)
    return frame[work.report.stands(frame.index)]


def _keyed(session: Session, sql: str, county: str | None) -> dict[str, list[int]]:
    out: dict[str, list[int]] = {}
    for row in execute(session, sql, county=county):
        out.setdefault(str(row.key).lower(), []).append(row.id)
    return out


def _people(session: Session, county: str | None, source: str) -> dict[str, list[Any]]:
    """Ids of the source's persons by external id; by name where no id is the same."""
    rows = execute(
        session,
        "SELECT id, external_id, name FROM persons "
        "WHERE county_code = :county AND source = :source",
        county=county,
        source=source,
    ).all()
    out: dict[str, list[Any]] = {row.external_id.lower(): [row.id] for row in rows}
    ids = set(out)
    for row in rows:
        if row.name.lower() not in ids:
            out.setdefault(row.name.lower(), []).append(row.id)
    return out


def _deputy(work: Work, row: Any, people: dict[str, list[Any]]) -> Any:
    """The deputy's id, None for none, False when the row was rejected for it."""
    if row.deputy is None:
        return None
    found = people.get(row.deputy.lower(), [])
    if len(found) == 1:
        return found[0]
    why = (
        f"there is no person {row.deputy!r}"
        if not found
        else (f"there are {len(found)} persons {row.deputy!r}")
    )
    work.report.reject(
        [row.Index], f"{why} to stand in", "Name the deputy by id; the file must hold them too.",
        field=work.field("deputy"), group="the deputy is not known",
    )  # fmt: skip
    return False


def _counted(work: Work, session: Session, row: Any, outcome: dict[str, int], write: Any) -> None:
    """Write within a savepoint; what contradicts the database's rules rejects the row."""
    try:
        with session.begin_nested():
            outcome[write()] += 1
    except sa.exc.IntegrityError as error:
        if not isinstance(error.orig, psycopg.errors.ExclusionViolation):
            raise
        rule = error.orig.diag.constraint_name or ""
        why = {
            "assignments_one_primary": f"the grid {row.grid} has a primary worker at that time",
            "leaves_one_at_a_time": "the person has another leave at that time",
        }.get(rule, "the person has the same assignment at that time")
        work.report.reject(
            [row.Index], why, "End the other one first, or change the dates.",
            field=work.field("leave_from" if rule.startswith("leaves") else "primary"),
            group="it contradicts another assignment or leave",
        )  # fmt: skip


def _range(begin: Any, end: Any) -> dict[str, Any]:
    return {
        "begin": None if pd.isna(begin) else begin.to_pydatetime().astimezone(UTC),
        "end": None if pd.isna(end) else end.to_pydatetime().astimezone(UTC),
    }


def _same(changed: Mapping[str, tuple[Any, Any]]) -> bool:
    return all(old == new for old, new in changed.values())


def _unknown(work: Work, row: Any, field: str, what: str) -> str:
    """Reject a row of an update whose assignment or leave is not there."""
    work.report.reject(
        [row.Index], f"{row.name} has no such {what} that begins on that day to correct",
        "Leave --update out to add it.",
        field=work.field(field), group=f"there is no such {what} to correct",
    )  # fmt: skip
    return "rejected"


def _assign(
    session: Session,
    work: Work,
    row: Any,
    *,
    county: str | None,
    person: Any,
    target: dict[str, Any],
) -> str:
    """Write one assignment; the same person, role, target and first day are the same one."""
    facts = {"person": person, "role": row.role, **target, **_range(row.valid_from, row.valid_to)}
    old = execute(
        session,
        """
        SELECT id, is_primary, upper(valid) AS last FROM assignments
        WHERE person_id = :person AND role = :role
          AND grid_id IS NOT DISTINCT FROM CAST(:grid_id AS bigint)
          AND building_id IS NOT DISTINCT FROM CAST(:building_id AS bigint)
          AND route_id IS NOT DISTINCT FROM CAST(:route_id AS bigint)
          AND lower(valid) IS NOT DISTINCT FROM CAST(:begin AS timestamptz)
        """,
        **facts,
    ).one_or_none()
    if old is not None:
        changed = {
            "primary": (old.is_primary, bool(row.is_primary)), "valid_to": (old.last, facts["end"]),
        }  # fmt: skip
        if _same(changed):
            return "unchanged"
        history.record_one(
            session, work, "assignment", old.id, row.Index, county=county, label=row.name,
            changed=changed,
        )  # fmt: skip
        execute(
            session,
            "UPDATE assignments SET is_primary = :primary, "
            "valid = tstzrange(lower(valid), CAST(:end AS timestamptz)) WHERE id = :id",
            primary=row.is_primary, end=facts["end"], id=old.id,
        )  # fmt: skip
        return "changed"
    if work.options.update:
        return _unknown(work, row, "role", "assignment")
    execute(
        session,
        "INSERT INTO assignments (county_code, person_id, role, grid_id, building_id, route_id, "
        "is_primary, valid, author) VALUES (:county, :person, :role, :grid_id, :building_id, "
        ":route_id, :primary, tstzrange(CAST(:begin AS timestamptz), CAST(:end AS timestamptz)), "
        ":author)",
        county=county,
        primary=row.is_primary,
        author=work.options.actor,
        **facts,
    )
    return "new"


def _leave(
    session: Session, work: Work, row: Any, *, county: str | None, person: Any, deputy: Any
) -> str:
    """Write one leave; the same person and first day are the same one."""
    facts = {"person": person, "deputy": deputy, **_range(row.leave_from, row.leave_to)}
    old = execute(
        session,
        "SELECT id, upper(during) AS last, deputy_id FROM leaves "
        "WHERE person_id = :person AND lower(during) = :begin",
        **facts,
    ).one_or_none()
    if old is not None:
        changed = {"leave_to": (old.last, facts["end"]), "deputy": (old.deputy_id, deputy)}
        if _same(changed):
            return "unchanged"
        history.record_one(
            session, work, "leave", old.id, row.Index, county=county, label=row.name,
            changed=changed,
        )  # fmt: skip
        execute(
            session,
            "UPDATE leaves SET deputy_id = :deputy, during = tstzrange(lower(during), :end) "
            "WHERE id = :id",
            deputy=deputy, end=facts["end"], id=old.id,
        )  # fmt: skip
        return "changed"
    if work.options.update:
        return _unknown(work, row, "leave_from", "leave")
    execute(
        session,
        "INSERT INTO leaves (county_code, person_id, deputy_id, during, author) "
        "VALUES (:county, :person, :deputy, tstzrange(:begin, :end), :author)",
        county=county,
        author=work.options.actor,
        **facts,
    )
    return "new"


KIND: Final = Kind(
    name="workers",
    fields=(
        "id", "name", "role", "grid", "building", "route", "primary", "employment", "valid_from",
        "valid_to", "leave_from", "leave_to", "deputy", "phone", "id_number",
    ),
    required=("name",),
    prepare=prepare,
    store=store,
    layers=("worker", "网格员", "人员", "persons"),
    corrects={"name": "name", "employment": "employment"},
    takes_back=True,
)  # fmt: skip
