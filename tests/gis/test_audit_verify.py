"""``verify`` finds every tamper, names it, and finds nothing where nothing was done."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from gis import audit
from gis.audit import anchors, canonical, keys, merkle, proof, reading, roots, verify
from gis.database import Database, execute
from gis.errors import BadInput, Conflict, Unavailable
from tests import conftest
from tests.gis.tampers import (
    INSIDE,
    TAMPERS,
    drop_stream,
    edit,
    edit_and_rechain,
    insert_and_rechain,
    old_copy,
    swap,
    swap_and_rechain,
    truncate_all,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy.orm import Session

    from gis.cluster import Cluster

STREAM_NAMES = ("-", "990121", "990122")


def fill(database: Database, entries: int, *, seed: int = 1) -> None:
    chance = Random(seed)
    for number in range(entries):
        with database.transaction() as session:
            for county in chance.sample(STREAM_NAMES, k=chance.randint(1, 3)):
                audit.record(
                    session,
                    actor=chance.choice(("wang", "li")),
                    action="incident.step",
                    object_kind="incident",
                    object_id=number,
                    county_code=None if county == "-" else county,
                    count=chance.randint(1, 9),
                    purpose="duty",
                )


@dataclass(frozen=True)
class Log:
    """A log with anchors, and a copy of them that nobody of the database's can reach."""

    database: Database
    places: anchors.Places
    outside: Path

    @property
    def keys(self) -> set[bytes]:
        return keys.public_keys([self.places.key])

    def verify(self, session: Session, *, outside: bool = True) -> verify.Report:
        folders = [self.outside] if outside else []
        return verify.verify_within(session, folders=folders, keys=self.keys)


def make(database: Database, folder: Path) -> Log:
    places = anchors.Places(folder / "keys" / "audit.key", [folder / "anchors", folder / "far"])
    for turn in range(3):
        fill(database, 25, seed=turn)
        anchors.anchor(database, places)
    return Log(database, places, folder / "far")


@pytest.fixture(scope="module")
def log(
    test_cluster: Cluster, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Log]:
    """A log for tests that undo what they do."""
    for database in conftest.fresh(test_cluster, template):
        yield make(database, tmp_path_factory.mktemp("log"))


@pytest.fixture
def own_log(database: Database, tmp_path: Path) -> Log:
    """A log of this test's own."""
    return make(database, tmp_path)


@pytest.fixture
def tampering(log: Log) -> Iterator[Session]:
    """As the database's administrator: triggers look away; all is undone at the end."""
    with log.database.engine.connect() as connection, sa.orm.Session(connection) as session:
        execute(session, "SET LOCAL session_replication_role = replica")
        yield session
        session.rollback()


def test_a_clean_log_is_whole(log: Log) -> None:
    report = verify.verify(log.database, folders=[log.outside], keys=log.keys)
    assert report.breaches == []
    assert report.notes == []
    assert report.streams == 3
    assert report.anchored == 9
    with log.database.transaction() as session:
        assert report.rows == execute(session, "SELECT count(*) FROM audit_log").scalar()


@pytest.mark.parametrize("seed", range(100))
def test_a_planted_tamper_is_found(log: Log, tampering: Session, seed: int) -> None:
    """A hundred of a hundred, with the roots kept outside; its row, stream and time are named."""
    chance = Random(seed)
    tamper = TAMPERS[seed % len(TAMPERS)]
    streams = tampering.scalars(sa.text("SELECT stream FROM audit_heads ORDER BY 1")).all()
    stream = chance.choice(streams)
    touched = tamper(tampering, stream, chance)
    report = log.verify(tampering)
    found = report.breaches
    assert found
    if tamper is drop_stream:
        # The anchors of other streams that followed its own follow nothing now.
        assert stream in {each.stream for each in found}
    elif tamper not in {truncate_all, old_copy}:
        assert {each.stream for each in found} == {stream}
        assert all(each.at is not None for each in found if "anchor" in each.reason)
    named = {each.seq for each in found}
    assert touched <= named, "the row that was touched is named"
    if tamper in {edit, swap}:
        # What follows a swapped entry follows another one than it did.
        after = {each + 1 for each in touched} if tamper is swap else set()
        by_row = [each for each in found if each.id is not None]
        assert touched <= {each.seq for each in by_row} <= touched | after, "and no other"
        assert all(each.at is not None for each in by_row)
    if tamper in {edit_and_rechain, insert_and_rechain, swap_and_rechain}:
        # No entry of the chain disagrees with another: the anchors tell which stretch it is.
        assert any("not what was anchored" in each.reason for each in found)


@pytest.mark.parametrize("tamper", TAMPERS, ids=lambda each: each.__name__)
def test_what_the_database_alone_gives_away(
    log: Log, tampering: Session, tamper: Callable[..., set[int]]
) -> None:
    stream = tampering.scalars(sa.text("SELECT max(stream) FROM audit_heads")).one()
    tamper(tampering, stream, Random(7))
    report = log.verify(tampering, outside=False)
    if tamper in INSIDE:
        assert report.breaches
    elif tamper in {truncate_all, old_copy, drop_stream}:
        # This is why anchors are kept outside; and the report says that there were none.
        outside = log.verify(tampering).breaches
        assert outside
        assert any("old copy" in each.reason for each in outside)


def test_the_words_of_a_purpose_are_held_to_it(own_log: Log) -> None:
    with own_log.database.transaction() as session:
        audit.record(
            session, actor="t", action="reveal", object_kind="person", object_id=1,
            purpose="核实住址",
        )  # fmt: skip
    with own_log.database.transaction() as session:
        assert own_log.verify(session).breaches == []
        execute(session, "UPDATE audit_purposes SET words = '另一个理由'")
        (breach,) = own_log.verify(session).breaches
        assert "purpose" in breach.reason


def test_progress_is_told(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "TOLD_EVERY", 10)
    told: list[tuple[int, int]] = []
    report = verify.verify(log.database, progress=lambda *each: told.append(each))
    assert len(told) > 10
    assert told == sorted(told)
    assert told[-1] == (report.rows, report.rows)


# -- anchors --------------------------------------------------------------------------------


def test_an_anchor_without_news_is_none(own_log: Log) -> None:
    assert anchors.anchor(own_log.database, own_log.places) == []


def test_the_key_is_for_its_owner_only(own_log: Log) -> None:
    assert own_log.places.key.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in own_log.places.key.with_name("audit.key.pub").read_text()
    public = keys.public_keys([own_log.places.key.with_name("audit.key.pub")])
    assert public == own_log.keys


def test_files_are_made_up_for(own_log: Log, tmp_path: Path) -> None:
    """A place that was away, is new, or was torn by a crash gets every line it lacks."""
    near, far = own_log.places.folders
    (file,) = near.glob("*.jsonl")
    whole = file.read_text()
    file.write_text(whole[: len(whole) // 2])
    new = tmp_path / "new"
    places = anchors.Places(own_log.places.key, [near, far, new])
    fill(own_log.database, 2)
    made = anchors.anchor(own_log.database, places)
    assert len(made) > 0
    lines = roots.read_folder(far)
    assert lines == roots.read_folder(near) == roots.read_folder(new)
    assert lines[-len(made) :] == made


def test_one_place_that_is_gone_does_not_keep_the_other_from_it(own_log: Log) -> None:
    near, _ = own_log.places.folders
    blocked = near / ".lock" / "beneath a file"
    places = anchors.Places(own_log.places.key, [blocked, near])
    fill(own_log.database, 2)
    with pytest.raises(Unavailable, match="beneath a file"):
        anchors.anchor(own_log.database, places)
    with own_log.database.transaction() as session:
        assert roots.read_folder(near) == anchors.kept_roots(session)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lines: lines[:3] + lines[4:], "does not follow"),
        (lambda lines: [lines[1], lines[0], *lines[2:]], "does not follow"),
        (lambda lines: [lines[0].replace('"last_seq":', '"last_seq":1'), *lines[1:]], "follow"),
        (lambda lines: [*lines[:-1], lines[-1].replace('"note":""', '"note":"x"')], "not signed"),
        (lambda lines: [*lines[:-1], lines[-1][:-9] + '"}'], "not signed"),
        (lambda lines: [*lines[:-1], lines[-1][:-9]], "no line of an anchor"),
        (lambda lines: ["{}", *lines], "no line of an anchor"),
    ],
)
def test_changed_anchor_files_are_found(
    own_log: Log, change: Callable[[list[str]], list[str]], words: str
) -> None:
    (file,) = own_log.outside.glob("*.jsonl")
    lines = file.read_text().splitlines()
    file.write_text("\n".join(change(lines)) + "\n")
    with own_log.database.transaction() as session:
        found = own_log.verify(session).breaches
    assert any(words in each.reason for each in found)


def test_a_key_of_somebody_else_is_not_trusted(own_log: Log, tmp_path: Path) -> None:
    """Whoever can write everything but the key signs a whole new history with another."""
    other = anchors.Places(tmp_path / "other" / "audit.key", [tmp_path / "other" / "anchors"])
    with own_log.database.transaction() as session:
        execute(session, "SET LOCAL session_replication_role = replica")
        execute(session, "DELETE FROM audit_roots")
    anchors.anchor(own_log.database, other)
    report = verify.verify(own_log.database, folders=other.folders, keys=own_log.keys)
    assert all("key that is not known" in each.reason for each in report.breaches)
    assert report.breaches


def test_an_old_copy_is_not_anchored_over(own_log: Log) -> None:
    with own_log.database.transaction() as session:
        execute(session, "SET LOCAL session_replication_role = replica")
        old_copy(session, "", Random(1))
    fill(own_log.database, 3)
    with pytest.raises(anchors.OldCopy, match="older copy"):
        anchors.anchor(own_log.database, own_log.places)
    with pytest.raises(BadInput, match="reason"):
        anchors.accept_loss(own_log.database, own_log.places, "")
    made = anchors.accept_loss(own_log.database, own_log.places, "restored after a disk failure")
    assert {each.kind for each in made} == {"loss", "root"}
    report = verify.verify(own_log.database, folders=[own_log.outside], keys=own_log.keys)
    assert report.breaches == []
    assert any("restored after a disk failure" in note for note in report.notes)
    # It goes on from here, and is watched as before.
    fill(own_log.database, 3)
    anchors.anchor(own_log.database, own_log.places)
    with own_log.database.transaction() as session:
        execute(session, "SET LOCAL session_replication_role = replica")
        edit_and_rechain(session, made[0].stream, Random(2))
        assert own_log.verify(session).breaches


def test_nothing_broken_is_signed(own_log: Log) -> None:
    fill(own_log.database, 3)
    with own_log.database.transaction() as session:
        execute(session, "SET LOCAL session_replication_role = replica")
        execute(session, "DELETE FROM audit_log WHERE id = (SELECT max(id) FROM audit_log)")
    with pytest.raises(Conflict, match="where its heads say"):
        anchors.anchor(own_log.database, own_log.places)


# -- proofs ---------------------------------------------------------------------------------


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40), st.data())
def test_a_leaf_climbs_to_its_root_alone(leaves: list[bytes], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(leaves) - 1))
    siblings = [each for _, each in merkle.path(leaves, place)]
    root = merkle.root(leaves)
    assert merkle.climb(leaves[place], place, len(leaves), siblings) == root
    wrong = data.draw(
        st.binary(min_size=32, max_size=32).filter(lambda each: each != leaves[place])
    )
    assert merkle.climb(wrong, place, len(leaves), siblings) != root
    with pytest.raises(ValueError, match="long"):
        merkle.climb(leaves[place], place, len(leaves), [*siblings, wrong])
    if siblings:
        with pytest.raises(ValueError, match="short"):
            merkle.climb(leaves[place], place, len(leaves), siblings[:-1])


def test_every_entry_has_a_proof(log: Log) -> None:
    with log.database.transaction() as session:
        ids = session.scalars(sa.text("SELECT id FROM audit_log ORDER BY id")).all()
        for each in ids[::7]:
            made = json.loads(json.dumps(proof.prove(session, each)))
            entry, root = proof.check(made, log.keys)
            assert entry["id"] == each
            assert root.first_seq <= entry["seq"] <= root.last_seq


def test_a_proof_of_something_else_proves_nothing(log: Log) -> None:
    with log.database.transaction() as session:
        first, second = (
            proof.prove(session, each)
            for each in session.scalars(sa.text("SELECT id FROM audit_log ORDER BY id LIMIT 2"))
        )
    entry = canonical.decode(bytes.fromhex(first["entry"]))
    forgery = canonical.canonical(entry | {"actor": "zhao"}).hex()
    root = roots.Root.parse(first["anchor"])
    resigned = dataclasses.replace(root, last_seq=root.last_seq + 1).line()
    for wrong in (
        first | {"entry": forgery},
        first | {"previous": second["previous"]},
        first | {"siblings": first["siblings"][:-1]},
        first | {"anchor": resigned},
        {"entry": first["entry"]},
    ):
        with pytest.raises(BadInput, match="proves nothing"):
            proof.check(wrong, log.keys)
    with pytest.raises(BadInput, match="not known"):
        proof.check(first, set())


def test_what_has_no_proof(own_log: Log) -> None:
    fill(own_log.database, 1)
    with own_log.database.transaction() as session:
        newest = execute(session, "SELECT max(id) FROM audit_log").scalar_one()
        with pytest.raises(proof.NotAnchored, match="anchor"):
            proof.prove(session, newest)
        with pytest.raises(proof.EntryNotFound, match="999999"):
            proof.prove(session, 999_999)
