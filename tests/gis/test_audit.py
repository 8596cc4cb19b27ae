"""The audit log: what an entry holds, its chain, and that nothing of it is lost or changed."""

from __future__ import annotations

import hashlib
import threading
import uuid
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from boundaries.accounts.models import Right
from gis import audit
from gis.audit import canonical
from gis.database import Database, execute

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

COLUMNS = ", ".join(canonical.FIELDS)


def entries(session: Session, where: str = "true") -> list[dict[str, Any]]:
    rows = execute(
        session,
        f"SELECT {COLUMNS}, hash FROM audit_log WHERE {where} ORDER BY stream, seq",
    )
    return [dict(row._mapping) for row in rows]


def assert_whole(session: Session) -> list[dict[str, Any]]:
    """Every chain is whole, worked out without the database's own functions."""
    found = entries(session)
    heads = {
        row.stream: row for row in execute(session, "SELECT stream, seq, hash FROM audit_heads")
    }
    last: dict[str, tuple[int, bytes]] = {}
    for entry in found:
        seq, previous = last.get(entry["stream"], (0, canonical.genesis(entry["stream"])))
        assert entry["seq"] == seq + 1
        assert canonical.chained(previous, canonical.canonical(entry)) == entry["hash"]
        last[entry["stream"]] = entry["seq"], entry["hash"]
    assert {name: (row.seq, row.hash) for name, row in heads.items()} == last
    return found


def record(session: Session, number: int = 0, county: str | None = "990121", **more: Any) -> None:
    audit.record(
        session, actor="t", action="x.y", object_kind="thing", object_id=number,
        county_code=county, **more,
    )  # fmt: skip


def test_an_entry_says_who_did_what_from_where(database: Database) -> None:
    account, device = uuid.uuid4(), uuid.uuid4()
    with database.transaction() as session:
        audit.come_in(
            session,
            audit.Context(
                actor="wang", account_id=account, role="township", area="990121101",
                also=("990122",), origin="10.0.0.7", session_id=device,
            ),
        )  # fmt: skip
        audit.read(
            session,
            object_kind="person",
            fields=("name", "employment"),
            seen=[(1, "990121101001"), (2, "990121101"), (3, "990122101")],
            purpose="duty",
            at=datetime(2026, 5, 1, tzinfo=UTC),
        )
    with database.transaction() as session:
        own, granted = assert_whole(session)
    assert own["actor"] == granted["actor"] == "wang"
    assert own["account_id"] == account
    assert (own["role"], own["scope"], own["purpose"]) == ("township", "990121101,990122", "duty")
    assert (own["action"], own["object_kind"], own["object_id"]) == ("read", "person", "")
    assert (own["fields"], own["count"], own["county_code"]) == ("employment,name", 2, "990121")
    assert (own["origin"], own["session_id"], own["key_id"]) == ("10.0.0.7", device, None)
    assert own["detail"] == {"ids": ["1", "2"], "at": "2026-05-01T00:00:00+00:00"}
    assert (granted["object_id"], granted["count"], granted["county_code"]) == ("3", 1, "990122")
    assert granted["detail"] == {"outside": 1, "at": "2026-05-01T00:00:00+00:00"}
    assert own["stream"].startswith("990121.")
    assert granted["stream"].startswith("990122.")
    assert own["xid"] == granted["xid"]


def test_the_command_line_is_named_by_its_os_user(database: Database) -> None:
    with database.transaction() as session:
        record(session)
    with database.transaction() as session:
        (entry,) = assert_whole(session)
    assert entry["role"] == "owner"
    assert entry["origin"].startswith("os:")
    assert len(entry["origin"]) > 3


def test_nothing_seen_is_entered_in_the_callers_own_county(database: Database) -> None:
    with database.transaction() as session:
        audit.come_in(session, audit.Context(actor="wang", area="990121101"))
        audit.read(session, object_kind="camera", fields=("place",), seen=[])
    with database.transaction() as session:
        (entry,) = assert_whole(session)
    assert (entry["count"], entry["county_code"], entry["object_id"]) == (0, "990121", "")


@pytest.mark.parametrize(
    "detail",
    [
        {"name": "王一"},
        {"note": "two words"},
        {"names": ["a", "李二"]},
        {"share": 0.5},
        {"person": {"id": 1}},
    ],
)
def test_what_fields_hold_never_enters(session: Session, detail: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="audit entry"):
        record(session, **detail)
    with pytest.raises(ValueError, match="audit entry"):
        audit.record(session, actor="t", action="x", object_kind="y", object_id="王一")


def test_a_purpose_in_words_is_kept_apart_and_can_be_erased(database: Database) -> None:
    words = "找王一核实邻里纠纷"
    with database.transaction() as session:
        record(session, purpose=words)
    with database.transaction() as session:
        (entry,) = assert_whole(session)
        row = execute(session, "SELECT commitment, salt, words FROM audit_purposes").one()
        assert row.words == words
        assert entry["purpose"] == row.commitment
        assert row.commitment == "sha256:" + hashlib.sha256(row.salt + words.encode()).hexdigest()
        execute(session, "DELETE FROM audit_purposes")
    with database.transaction() as session:
        assert_whole(session)


def test_a_service_session_that_let_nobody_in_reads_nothing(database: Database) -> None:
    with (
        pytest.raises(ValueError, match="let nobody in"),
        database.service_transaction() as session,
    ):
        audit.read(session, object_kind="person", fields=("name",), seen=[])


text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
plain = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | text
moment = st.datetimes(
    datetime(1900, 1, 1),  # noqa: DTZ001 - hypothesis gives them their zone
    datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
kinds = {
    "text": text,
    "int8": st.integers(-(2**63), 2**63 - 1),
    "time": moment,
    "uuid": st.uuids(),
    "json": st.dictionaries(text, plain | st.lists(plain, max_size=3), max_size=4),
}
REQUIRED = {"stream", "seq", "id", "xid", "at", "actor", "action", "detail"}
made = st.fixed_dictionaries(
    {
        name: kinds[kind] if name in REQUIRED else st.none() | kinds[kind]
        for name, kind in canonical.FIELDS.items()
    }
)


@given(made)
def test_bytes_are_those_of_the_database(shared_database: Database, entry: dict[str, Any]) -> None:
    entry["xid"] = abs(entry["xid"]) // 2
    values = dict(entry, detail=canonical.jsonb_text(entry["detail"]), xid=str(entry["xid"]))
    casts = {"int8": "bigint", "time": "timestamptz", "json": "jsonb"}
    row = ", ".join(
        f"CAST(:{name} AS {'xid8' if name == 'xid' else casts.get(kind, kind)})"
        for name, kind in canonical.FIELDS.items()
    )
    with shared_database.transaction() as session:
        stored = execute(
            session, f"SELECT wangge_audit_canonical(ROW({row}, NULL)::audit_log)", **values
        ).scalar_one()
    content = canonical.canonical(entry)
    assert content == stored
    assert canonical.decode(content) == entry


@given(made, made)
def test_no_two_entries_have_the_same_bytes(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = canonical.canonical(one) == canonical.canonical(other)
    assert same == (one == other)


@pytest.mark.parametrize("cut", [1, 4, 30, -1])
def test_bytes_of_no_entry_are_refused(cut: int) -> None:
    entry = dict.fromkeys(canonical.FIELDS, None)
    content = canonical.canonical(entry)
    with pytest.raises(ValueError, match="no entry"):
        canonical.decode(content[:-cut] if cut > 0 else content + b"x")


def fail_within(session: Session) -> None:
    with session.begin_nested():
        record(session, 2)
        with session.begin_nested():
            record(session, 3)
        session.add(Right(key="none", name_zh="x", name_en="x"))  # breaks within the flush
        session.flush()


def fail_after(database: Database) -> None:
    with database.transaction() as session:
        record(session, 1)
        audit.flush(session)
        record(session, 2)
        raise ZeroDivisionError


def change(database: Database) -> None:
    with database.transaction() as session:
        execute(session, "INSERT INTO grids (county_code) VALUES ('990121')")
        record(session)


def test_entries_of_a_savepoint_vanish_with_it(database: Database) -> None:
    with database.transaction() as session:
        record(session, 1)
        with pytest.raises(sa.exc.IntegrityError):
            fail_within(session)
        with session.begin_nested():
            record(session, 4)
    with database.transaction() as session:
        assert [each["object_id"] for each in assert_whole(session)] == ["1", "4"]


def test_a_transaction_that_fails_leaves_no_entry(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        fail_after(database)
    with database.transaction() as session:
        assert assert_whole(session) == []


def test_a_failing_log_fails_the_transaction(database: Database) -> None:
    with database.transaction() as session:
        execute(session, "ALTER TABLE audit_log ADD CONSTRAINT full_up CHECK (action <> 'x.y')")
    with pytest.raises(sa.exc.IntegrityError):
        change(database)
    with database.transaction() as session:
        assert execute(session, "SELECT count(*) FROM grids").scalar() == 0
        assert_whole(session)


def test_a_crash_before_the_commit_leaves_the_chain_whole(database: Database) -> None:
    with database.transaction() as session:
        record(session, 1)
    dying = database.engine.connect()
    session = sa.orm.Session(dying)
    record(session, 2)
    audit.flush(session)
    with database.engine.connect() as connection:
        pid = dying.scalar(sa.text("SELECT pg_backend_pid()"))
        connection.execute(sa.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
        connection.commit()
    with pytest.raises(sa.exc.OperationalError):
        session.commit()
    session.close()
    dying.invalidate()
    with database.transaction() as session:
        record(session, 3)
    with database.transaction() as session:
        assert [each["object_id"] for each in assert_whole(session)] == ["1", "3"]


def test_a_new_month_begins_a_new_stream(database: Database) -> None:
    chain = "SELECT wangge_audit_chain(CAST(:entries AS jsonb), CAST(:at AS timestamptz))"
    one = (
        '[{"actor": "t", "action": "x", "object_kind": "y", "object_id": "1", '
        '"county_code": "990121"}]'
    )
    moments = (
        "2026-11-30T23:59:59.999999Z", "2026-12-01T00:00:00Z", "2026-12-01T08:30:00+08:00",
        "2026-12-01T07:59:59+08:00", "2027-01-01T00:00:00Z",
    )  # fmt: skip
    for at in moments:
        with database.transaction() as session:
            execute(session, chain, entries=one, at=at)
    with database.transaction() as session:
        found = [(each["stream"], each["seq"]) for each in assert_whole(session)]
    assert found == [
        ("990121.202611.00", 1),
        ("990121.202611.00", 2),
        ("990121.202612.00", 1),
        ("990121.202612.00", 2),
        ("990121.202701.00", 1),
    ]


def test_sixteen_writers_at_once_lose_nothing(database: Database) -> None:
    """Every entry of a transaction that committed is there, and none of one that did not."""
    counties = (None, "990121", "990122", "990123")
    committed: list[set[str]] = [set() for _ in range(16)]
    failures: list[BaseException] = []

    def write(place: int) -> None:
        chance = Random(place)
        try:
            for turn in range(25):
                ids = [f"{place}-{turn}-{each}" for each in range(chance.randint(1, 4))]
                fails = chance.random() < 0.3
                try:
                    with database.transaction() as session:
                        for each in ids:
                            audit.record(
                                session, actor="t", action="x", object_kind="y", object_id=each,
                                county_code=chance.choice(counties),
                            )  # fmt: skip
                        if fails:
                            if chance.random() < 0.5:
                                audit.flush(session)
                            raise ZeroDivisionError
                except ZeroDivisionError:
                    continue
                committed[place] |= set(ids)
        except BaseException as error:  # noqa: BLE001 - told by the test itself
            failures.append(error)

    threads = [threading.Thread(target=write, args=(place,)) for place in range(16)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failures == []
    with database.transaction() as session:
        found = assert_whole(session)
    assert sorted(each["object_id"] for each in found) == sorted(set().union(*committed))
    assert len({each["stream"] for each in found}) > 4


@pytest.mark.parametrize("table", ["audit_log", "audit_heads", "audit_roots", "audit_purposes"])
@pytest.mark.parametrize(
    "verb", ["UPDATE {} SET county_code = NULL", "DELETE FROM {}", "TRUNCATE {}", "INSERT INTO {}"]
)
def test_the_service_cannot_touch_it(database: Database, table: str, verb: str) -> None:
    sql = verb.format(table)
    if sql.startswith("INSERT"):
        sql += f" SELECT * FROM {table} LIMIT 0"
    with (
        pytest.raises(sa.exc.ProgrammingError, match="permission denied"),
        database.service_transaction() as session,
    ):
        execute(session, sql)


def test_the_service_cannot_choose_the_time(database: Database) -> None:
    with (
        pytest.raises(sa.exc.ProgrammingError, match="permission denied"),
        database.service_transaction() as session,
    ):
        execute(session, "SELECT wangge_audit_chain('[]', '2020-01-01')")


def test_reads_do_not_wait_for_the_disk_and_changes_do(database: Database) -> None:
    def waits(change: bool, kind: str) -> str:
        with database.transaction() as session:
            execute(session, "SET LOCAL synchronous_commit = on")
            if change:
                execute(session, "INSERT INTO grids (county_code) VALUES ('990121')")
            if kind == "record":
                record(session)
            else:
                audit.read(session, object_kind="y", fields=("x",), seen=[], action=kind)
            audit.flush(session)
            return str(execute(session, "SHOW synchronous_commit").scalar())

    assert waits(False, "read") == "off"
    assert waits(True, "read") == "on"
    assert waits(False, "export") == "on"
    assert waits(False, "record") == "on"
