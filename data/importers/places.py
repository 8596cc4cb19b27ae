"""Key places and any other that has a name: what they are, where, and how far they reach."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pandas as pd

from data.importers import osm_addresses, values, writing
from data.importers.work import Kind, Work, county_of, own_ids
from grids.addresses.parsing import name_key

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

KINDS: Final = (
    "school", "hospital", "police_room", "court_point", "mediation_post", "government",
    "community_office", "market", "shop", "bank", "station", "park", "worship", "factory",
    "estate", "building", "other",
)  # fmt: skip
KIND_WORDS: Final = {
    "学校": "school", "中学": "school", "小学": "school", "幼儿园": "school", "中小学": "school",
    "kindergarten": "school", "college": "school", "university": "school",
    "医院": "hospital", "卫生院": "hospital", "卫生室": "hospital", "医疗机构": "hospital",
    "clinic": "hospital", "doctors": "hospital", "派出所": "police_room", "警务室": "police_room",
    "社区警务室": "police_room", "police": "police_room", "法庭": "court_point",
    "法官工作站": "court_point", "诉讼服务点": "court_point", "courthouse": "court_point",
    "调解室": "mediation_post", "人民调解委员会": "mediation_post", "调委会": "mediation_post",
    "机关": "government", "政府": "government", "townhall": "government",
    "村委会": "community_office", "居委会": "community_office", "党群服务中心": "community_office",
    "综治中心": "community_office", "社区服务中心": "community_office",
    "community_centre": "community_office", "市场": "market", "农贸市场": "market",
    "marketplace": "market", "商场": "shop", "超市": "shop", "商铺": "shop", "商店": "shop",
    "银行": "bank", "车站": "station", "bus_station": "station", "公园": "park", "广场": "park",
    "宗教场所": "worship", "place_of_worship": "worship", "工厂": "factory", "企业": "factory",
    "小区": "estate", "居民小区": "estate", "楼宇": "building", "大厦": "building", "其他": "other",
    "其它": "other",
}  # fmt: skip
_STORED: Final = (
    "county_code", "source", "external_id", "kind", "name", "aliases", "radius_m", "geom",
)  # fmt: skip


def prepare(work: Work) -> None:
    """Ids, kinds, names and other names; a place without a name is none."""
    report = work.report
    ids = own_ids(work, ("name",))
    frame = pd.DataFrame(index=work.frame.index)
    frame["external_id"] = ids
    names = values.texts(work.column("name"))
    frame["name"] = names
    nameless = names.isna() if not work.options.update else names.notna() & (names == "")
    signs = names.notna() & ~names.map(lambda name: bool(name_key(name or "")))
    long = names.notna() & (names.str.len() > 200)
    for bad, reason in (
        (nameless, "the place has no name"),
        (signs, "the name has no letter or figure"),
        (long, "the name has more than 200 characters"),
    ):
        report.reject(frame.index[bad], reason, "Write the name it is known by.",
                      field=work.field("name"))  # fmt: skip
    frame["kind"] = values.chosen(
        work.column("kind"), report, work.field("kind"), KIND_WORDS, allowed=KINDS, default="other"
    )
    frame["aliases"] = values.objects(
        ([] if text is None else list(dict.fromkeys(filter(None, map(str.strip, re.split(
            r"[;；|、/]", text))))) for text in values.texts(work.column("aliases"))),
        frame.index,
    )  # fmt: skip
    frame["radius_m"] = values.numbers(
        work.column("radius_m"), report, work.field("radius_m"), low=1, high=20_000, unit="metres"
    )
    frame["geom"] = work.geom
    work.records["places"] = frame[report.stands(frame.index)]


def store(work: Work, session: Session) -> None:
    """Write the places."""
    frame = work.records["places"].assign(
        county_code=county_of(work, session), source=work.options.source
    )
    writing.write(session, work, "places", frame, _STORED)


KIND: Final = Kind(
    name="places",
    fields=("id", "name", "kind", "aliases", "radius_m"),
    families=("point",),
    needs_place=True,
    prepare=prepare,
    store=store,
    from_osm=osm_addresses.places,
    layers=("place", "poi", "pois", "重点场所", "场所", "地名"),
    corrects={"name": "name", "kind": "kind", "aliases": "aliases", "radius_m": "radius_m"},
    takes_back=True,
)
