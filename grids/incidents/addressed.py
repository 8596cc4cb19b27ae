"""Places of incidents that come with an address and no point: found, or left to a person.

What the gazetteer is sure of is the place, with the method ``address``. What it is not sure of is
taken without a place, in the area of the unit that the text names, and a question is put into the
queue of addresses (`grids.addresses.review`), whose answer `grids.incidents.placing` enters.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from gis.database import execute
from grids.addresses import search
from grids.addresses.parsing import whole_key
from grids.addresses.parts import half_width

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from sqlalchemy.orm import Session

    from grids.addresses.candidates import Candidate
    from grids.addresses.parts import Address

CRS: Final = "wgs84"
METHOD: Final = "address"
AT_ONCE: Final = 500
"""Addresses of a bulk intake that are looked up in the same rounds of queries."""
_AREAS: Final = (6, 9, 12)
"""Digits of codes that an incident can belong to: county, township, village."""


@dataclass(frozen=True, slots=True)
class Guess:
    """What an address says of the place of an incident.

    Attributes
    ----------
    text
        The address as it is compared and kept in the queue.
    sure
        The place to take without asking; None: a person has to say.
    candidates
        All that was found, the likeliest first.
    area_code
        The one unit that the text names, of a county or below; None where it names none, or
        several.
    """

    text: str
    sure: Candidate | None
    candidates: Sequence[Candidate]
    area_code: str | None

    @property
    def told(self) -> dict[str, Any]:
        """What is kept of it in the event that takes the incident down: no text, a score."""
        if self.sure is None:
            return {}
        return {"address": {"method": self.sure.method, "score": self.sure.score,
                            "label": self.sure.label}}  # fmt: skip


def guess(session: Session, address: str, *, county_code: str | None = None) -> Guess | None:
    """Look an address up in the gazetteer; None for one without letters or figures.

    Parameters
    ----------
    county_code
        The county that the report names: a place in another one is not taken without asking.
    """
    return guess_many(session, [(address, county_code)])[0]


def guess_many(session: Session, addresses: Sequence[tuple[str, str | None]]) -> list[Guess | None]:
    """The same of many addresses and counties, in a few rounds of queries for all of them."""
    texts = [half_width(address) for address, _ in addresses]
    asked = list(dict.fromkeys(each for each in texts if whole_key(each)))
    parsed = search.understand_many(session, asked)
    found = _undivided(session, search.found_many(session, parsed))
    known = dict(zip(asked, zip(parsed, found, strict=True), strict=True))
    return [
        _guess(text, *known[text], county_code) if text in known else None
        for text, (_, county_code) in zip(texts, addresses, strict=True)
    ]


_DIVIDED: Final = """
SELECT n.number
FROM unnest(CAST(:numbers AS int[]), CAST(:lon AS float8[]), CAST(:lat AS float8[]))
    AS n (number, lon, lat)
CROSS JOIN LATERAL (SELECT ST_SetSRID(ST_MakePoint(n.lon, n.lat), 4326) AS place) AS p
LEFT JOIN LATERAL (
    SELECT s.grid_id FROM grid_shapes AS s JOIN editions AS e ON e.id = s.edition_id
    WHERE s.geom && p.place AND ST_Covers(s.geom, p.place)
        AND e.kind = 'base' AND e.status NOT IN ('draft', 'withdrawn') AND e.valid @> now()
    ORDER BY s.code LIMIT 1
) AS g ON true
GROUP BY n.number HAVING count(DISTINCT COALESCE(g.grid_id, 0)) > 1
"""


def _undivided(session: Session, found: Sequence[Sequence[Candidate]]) -> list[Sequence[Candidate]]:
    """What was found, but nothing is sure that lies in two grids of now at once.

    An address may be there twice, so near that the search takes both for one place: on two sides of
    a border it is asked which.
    """
    answers = list(found)
    twins = [(n, each[0]) for n, each in enumerate(answers)
             if each and each[0].is_confident and each[0].twins]  # fmt: skip
    if not twins:
        return answers
    places = [(n, *place) for n, first in twins
              for place in ((first.lon, first.lat), *first.twins)]  # fmt: skip
    numbers, lon, lat = (list(each) for each in zip(*places, strict=True))
    for n in execute(session, _DIVIDED, numbers=numbers, lon=lon, lat=lat).scalars():
        first = replace(answers[n][0], is_confident=False, twins=())
        others = [replace(first, lon=lon, lat=lat) for lon, lat in answers[n][0].twins]
        answers[n] = [first, *others, *answers[n][1:]]
    return answers


def _guess(
    text: str, parsed: Address, found: Sequence[Candidate], county_code: str | None
) -> Guess:
    first = found[0] if found and found[0].is_confident else None
    if first and county_code and not first.area_code.startswith(county_code):
        first = None
    named = [code for code in parsed.codes if len(code) in _AREAS]
    area = named[0] if len(parsed.codes) == 1 and named else None
    if area and county_code and not area.startswith(county_code):
        area = None
    return Guess(text, first, found, area)


def ask(session: Session, guesses: Mapping[uuid.UUID, Guess], *, actor: str) -> None:
    """Put the addresses of incidents that have no place into the queue, each in its area.

    Flushed with the incidents and committed with them. Without reading back: whoever reports need
    not see the queue.
    """
    if not guesses:
        return
    execute(
        session,
        """
        INSERT INTO address_reviews
            (county_code, area_code, text, candidates, incident_id, author)
        SELECT i.county_code, i.area_code, q.text, CAST(q.candidates AS jsonb), i.id, :actor
        FROM unnest(CAST(:ids AS uuid[]), CAST(:texts AS text[]), CAST(:candidates AS text[]))
            WITH ORDINALITY AS q (id, text, candidates, place)
        JOIN incidents AS i ON i.id = q.id AND i.geom IS NULL
        ORDER BY q.place
        """,
        ids=list(guesses),
        texts=[each.text for each in guesses.values()],
        candidates=[
            json.dumps([one.as_json() for one in each.candidates], ensure_ascii=False)
            for each in guesses.values()
        ],
        actor=actor,
    )


def fill(session: Session, staged: pd.DataFrame) -> dict[str, Guess]:
    """Look up the rows of a bulk intake that have an address and no place, and fill in the sure.

    Called when the digests are made: what was said stays what was said, and the same file is the
    same again when the gazetteer has learnt more.

    Parameters
    ----------
    staged
        As `grids.incidents.service.record_many` stages it. ``lon``, ``lat``, ``source_crs``,
        ``source_x``, ``source_y``, ``accuracy_m``, ``method``, ``area_code`` and ``told`` are
        filled in. Rows whose id is stored are left alone.

    Returns
    -------
    By id, what was asked of each row: that which found no place is put to a person.
    """
    staged["area_code"], staged["told"] = None, None
    unplaced = staged[staged["lon"].isna() & (staged["address"] != "")]
    if unplaced.empty:
        return {}
    stored = set(
        execute(
            session, "SELECT id::text FROM incidents WHERE id = ANY(CAST(:ids AS uuid[]))",
            ids=unplaced["id"].tolist(),
        ).scalars()
    )  # fmt: skip
    unplaced = unplaced[~unplaced["id"].isin(stored)]
    pairs = list(dict.fromkeys(zip(unplaced["address"], unplaced["county_code"], strict=True)))
    known: dict[tuple[str, str], Guess | None] = {}
    for start in range(0, len(pairs), AT_ONCE):
        some = pairs[start : start + AT_ONCE]
        known |= zip(some, guess_many(session, some), strict=True)
    asked: dict[str, Guess] = {}
    for row, number, county, address in zip(
        unplaced.index, *(unplaced[name] for name in ("id", "county_code", "address")), strict=True
    ):
        found = known[address, county]
        if found is None:
            continue
        asked[number] = found
        staged.loc[row, "area_code"] = found.area_code
        staged.loc[row, "told"] = json.dumps(found.told, ensure_ascii=False)
        if (sure := found.sure) is not None:
            lon, lat = repr(sure.lon), repr(sure.lat)
            staged.loc[row, ["lon", "lat", "source_crs", "source_x", "source_y", "method"]] = [
                lon, lat, CRS, lon, lat, METHOD,
            ]  # fmt: skip
            if staged.loc[row, "accuracy_m"] is None:
                staged.loc[row, "accuracy_m"] = repr(sure.accuracy_m)
    return asked
