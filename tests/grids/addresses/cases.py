"""Seven addresses of the places that the design speaks of, and what is right about each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pandas as pd

if TYPE_CHECKING:
    from pathlib import Path

    from grids.addresses.parts import Address

SPLIT: Final = ("street", "number", "estate", "building", "unit", "room")
# Of Changchun, which the register of the seed places lacks.
MORE_UNITS: Final = (
    ("22", "吉林省"), ("2201", "长春市"), ("220102", "南关区"), ("220102001", "南岭街道"),
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """An address; values of SPLIT in their order, None where it says nothing."""

    text: str
    county: str
    town: str
    village: str | None
    split: tuple[str | None, ...]


CASES: Final = (
    Case("内蒙古自治区锡林郭勒盟多伦县大北沟镇新民路12号阳光小区3栋2单元501室",
         "多伦县", "大北沟镇", None,
         ("新民路", "12", "阳光小区", "3", "2", "501")),
    Case("土左旗察素齐镇人民路二十七号惠民小区五号楼一单元", "土默特左旗", "察素齐镇", None,
         ("人民路", "27", "惠民小区", "5", "1", None)),
    Case("铁岭市昌图县昌图镇东街社区市场21区通道", "昌图县", "昌图镇", "东街社区",
         (None, None, None, None, None, None)),
    Case("吉林省长春市南关区南岭街道亚泰大街6789号1号楼1单元1502", "南关区", "南岭街道", None,
         ("亚泰大街", "6789", None, "1", "1", "1502")),
    Case("内蒙古二连浩特市格日勒敖都苏木额尔登高毕嘎查",
         "二连浩特市", "格日勒敖都苏木", "额尔登高毕嘎查",
         (None, None, None, None, None, None)),
    Case("巴彦淖尔乌拉特后旗巴音宝力格镇巴音路8号", "乌拉特后旗", "巴音宝力格镇", None,
         ("巴音路", "8", None, None, None, None)),
    Case("腰堡镇大房身村三组老裴家", "铁岭县", "腰堡镇", "大房身村",
         (None, None, None, None, None, None)),
)  # fmt: skip


def units(data: Path) -> list[tuple[str, str]]:
    """Code and name of every unit of the register of the seed places."""
    frame = pd.read_csv(data / "cn_division_codes" / "villages.csv.gz", dtype=str)
    found = set(MORE_UNITS)
    for code, name in (
        ("code", "village"), ("streetCode", "town"), ("areaCode", "county"), ("cityCode", "city"),
        ("provinceCode", "province"),
    ):  # fmt: skip
        found |= set(zip(frame[code], frame[name], strict=True))
    return sorted(found)


def split_of(address: Address) -> tuple[str | None, ...]:
    """What was understood of a text below its divisions."""
    return tuple(address.value(kind) for kind in SPLIT)
