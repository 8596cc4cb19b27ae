"""The country's border in stretches, and on which side of each line we are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from data.importers import values, writing
from data.importers.lines import single_lines
from data.importers.work import Kind, Work, county_of, own_ids

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_SIDES: Final = {
    "左": "left",
    "左侧": "left",
    "l": "left",
    "右": "right",
    "右侧": "right",
    "r": "right",
}
_STORED: Final = ("county_code", "source", "external_id", "name", "our_side", "geom")


def prepare(work: Work) -> None:
    """Ids, names and sides; every stretch one line."""
    ids = own_ids(work, ("name",))
    frame = pd.DataFrame(index=work.frame.index)
    frame["external_id"] = ids
    names = values.texts(work.column("name"))
    frame["name"] = names.where(names.notna(), frame["external_id"])
    frame["our_side"] = values.chosen(
        work.column("side"), work.report, work.field("side"), _SIDES, allowed=("left", "right")
    )
    lacking = frame["our_side"].isna() & work.report.stands(frame.index)
    if lacking.any() and not work.options.update:
        work.report.reject(
            frame.index[lacking], "it is not said on which side of the line we are",
            "Write left or right (左, 右) as seen along the line, or --map side==left.",
            field=work.field("side"),
        )  # fmt: skip
    frame["geom"] = single_lines(work)
    work.records["borders"] = frame[work.report.stands(frame.index)]


def store(work: Work, session: Session) -> None:
    """Write the stretches."""
    frame = work.records["borders"].assign(
        county_code=county_of(work, session), source=work.options.source
    )
    writing.write(session, work, "border_lines", frame, _STORED)


KIND: Final = Kind(
    name="borders",
    fields=("id", "name", "side"),
    families=("line",),
    needs_place=True,
    prepare=prepare,
    store=store,
    layers=("border", "border_lines", "国界", "边境线"),
    corrects={"name": "name", "side": "our_side"},
    takes_back=True,
)
