"""House numbers: each at its point, or those along a stretch of a street from one to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import shapely

from data.importers import osm_addresses, values, writing
from data.importers.work import Kind, Work, county_of, own_ids
from gis.database import execute
from grids.addresses.gazetteer import MAX_NAME, MAX_NUMBER
from grids.addresses.parsing import lexicon_of, name_key, parse
from grids.addresses.parts import NO_LEXICON, Lexicon, is_han
from grids.addresses.subjects import Subject, subject_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

PARITY_WORDS: Final = {
    "单": "odd", "单号": "odd", "奇": "odd", "奇数": "odd", "双": "even", "双号": "even",
    "偶": "even", "偶数": "even", "全": "both", "单双": "both", "all": "both",
}  # fmt: skip
_STORED: Final = (
    "county_code", "source", "external_id", "label", "street", "street_key", "number",
    "number_tail", "number_to", "parity", "estate", "estate_key", "building", "unit", "geom",
)  # fmt: skip
_GIVEN: Final = ("address", "street", "number", "estate", "building", "unit")


@dataclass(frozen=True, slots=True)
class _Row:
    """What the columns of one row say."""

    address: str | None
    street: str | None
    number: str | None
    estate: str | None
    building: str | None
    unit: str | None

    @property
    def written(self) -> str:
        """The address as it would be written in one line."""
        if self.address:
            return self.address
        name = f"{self.street or ''}{self.estate or ''}"
        if not is_han(name):
            return " ".join(filter(None, (self.number, self.street, self.estate)))
        number = _with(self.number, "号")
        return "".join(filter(None, (
            self.street, number, self.estate, _with(self.building, "栋", "号楼", "幢", "座"),
            _with(self.unit, "单元"),
        )))  # fmt: skip


def _with(number: str | None, *words: str) -> str | None:
    if number is None or number.endswith(words):
        return number
    return f"{number}{words[0]}"


def prepare(work: Work) -> None:
    """Ids and what each row says; names and numbers are read where the units are known."""
    report = work.report
    ids = own_ids(work, (*_GIVEN, "number_to"))
    frame = pd.DataFrame(index=work.frame.index)
    frame["external_id"] = ids
    for name in _GIVEN:
        frame[name] = values.texts(work.column(name))
    frame["number_to"] = values.numbers(
        work.column("number_to"), report, work.field("number_to"), low=0, high=MAX_NUMBER
    )
    frame["parity"] = values.chosen(
        work.column("parity"), report, work.field("parity"), PARITY_WORDS,
        allowed=("odd", "even", "both"),
    )  # fmt: skip
    frame["geom"] = _shapes(work, frame)
    work.records["addresses"] = frame[report.stands(frame.index)]


def _shapes(work: Work, frame: pd.DataFrame) -> Any:
    """Points for numbers, one line for a stretch of them; what does not fit is rejected."""
    lines = np.isin(shapely.get_type_id(work.geom), (1, 5))
    geom = work.geom.copy()
    geom[lines] = shapely.line_merge(geom[lines])
    stretch = frame["number_to"].notna().to_numpy()
    several = lines & (shapely.get_type_id(geom) != 1)
    for bad, reason, remedy, field in (
        (several, "the stretch is in several pieces", "Draw it as one line.", "geometry"),
        (stretch & ~lines, "a range of numbers needs a line, and a point was given",
         "Draw the stretch of street that has them.", "geometry"),
        (lines & ~stretch, "a line was given, and no number at its end",
         "Give number_to, or a point.", work.field("number_to")),
    ):  # fmt: skip
        work.report.reject(frame.index[bad], reason, remedy, field=field)
    return geom


def store(work: Work, session: Session) -> None:
    """Read what the rows say, with the units of their county, and write them."""
    county = county_of(work, session)
    frame = work.records["addresses"]
    _write(work, session, frame, _lexicon(session, str(county)), str(county))


def _lexicon(session: Session, county: str) -> Lexicon:
    rows = execute(
        session,
        "SELECT code, name FROM admin_units WHERE upper_inf(valid) AND "
        "(county_code = :county OR starts_with(:county, code))",
        county=county,
    )
    return lexicon_of([(row.code, row.name) for row in rows])


def unchecked(work: Work) -> None:
    """Read the rows without a database: units are told by their words alone."""
    _records(work, work.records["addresses"], NO_LEXICON)


def _write(
    work: Work, session: Session, frame: pd.DataFrame, lexicon: Lexicon, county: str
) -> None:
    records = _records(work, frame, lexicon)
    if records.empty:
        return
    records = records.assign(county_code=county, source=work.options.source)
    writing.write(session, work, "addresses", records, _STORED)


def _records(work: Work, frame: pd.DataFrame, lexicon: Lexicon) -> pd.DataFrame:
    out: list[dict[str, Any]] = []
    bad: list[tuple[Any, str]] = []
    for row, each in zip(frame.index, frame.itertuples(), strict=True):
        given = _Row(*(getattr(each, name) for name in _GIVEN))
        subject = _subject(given, lexicon)
        is_stretch = not np.isnan(each.number_to)
        why = _lacking(given, subject, is_stretch=is_stretch)
        if why:
            bad.append((row, why))
            continue
        number_to = int(each.number_to) if is_stretch else None
        label = given.written
        if number_to is not None and given.address is None and subject.number is not None:
            label = f"{given.street} {subject.number}-{number_to}"
        out.append({
            "external_id": each.external_id, "label": label[:300], "street": subject.street,
            "street_key": subject.street_key, "number": subject.number,
            "number_tail": "" if is_stretch else subject.tail, "number_to": number_to,
            "parity": _parity(each.parity, subject.number, number_to),
            "estate": subject.estate, "estate_key": subject.estate_key,
            "building": subject.building, "unit": subject.unit, "geom": each.geom,
        })  # fmt: skip
    work.report.reject_each(
        bad, "Give street and number, estate and building, or the address in one column.",
        field=work.field("address"), group="the address names nothing",
    )  # fmt: skip
    index = frame.index[work.report.stands(frame.index)]
    return pd.DataFrame(out, index=index, columns=[c for c in _STORED if c not in {
        "county_code", "source"}], dtype=object)  # fmt: skip


def _subject(given: _Row, lexicon: Lexicon) -> Subject:
    """What a row names; a street or estate with a column of its own is that, whatever its form."""
    columns = {"street": given.street, "estate": given.estate}
    names = {name_key(name): kind for kind, name in columns.items() if name and name_key(name)}
    known = Lexicon(lexicon.divisions, {**lexicon.names, **names})
    return subject_of(parse(given.written, known))


def _lacking(given: _Row, subject: Subject, *, is_stretch: bool) -> str | None:
    if not given.written:
        return "nothing is said of the address"
    if not subject.is_known:
        return f"{given.written!r} names no street, estate or village"
    if len(subject.street_key or "") > MAX_NAME or len(subject.estate_key or "") > MAX_NAME:
        return "the name has more than 100 characters"
    if given.number and subject.number is None:
        return f"{given.number!r} is no house number"
    if is_stretch and subject.number is None:
        return "a range of numbers has no first one"
    return None


def _parity(said: str | None, number: int | None, number_to: int | None) -> str | None:
    """Which numbers a stretch has: as said, else those of one side when both ends are of it."""
    if number is None or number_to is None:
        return None
    if said:
        return said
    if number % 2 != number_to % 2:
        return "both"
    return "odd" if number % 2 else "even"


KIND: Final = Kind(
    name="addresses",
    fields=("id", *_GIVEN, "number_to", "parity"),
    families=("point", "line"),
    needs_place=True,
    prepare=prepare,
    store=store,
    unchecked=unchecked,
    from_osm=osm_addresses.addresses,
    layers=("address", "address_points", "门牌", "门牌号", "地址"),
    no_update="Import the file again: what has changed is changed.",
    takes_back=True,
)
