"""`docs/importing.md` names the columns that are known, and its commands work as written."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pandas as pd
import pytest
import shapely

from data.importers import columns, guards
from data.importers.run import KINDS
from gis.crs import from_wgs84
from gis.database import Database, execute

if TYPE_CHECKING:
    from tests.data.importers.conftest import Commands

PAGE: Final = Path(__file__).parents[3] / "docs" / "importing.md"
BLOCK: Final = re.compile(r"<!-- fields of (\w+) -->\n(.*?)<!-- end -->", re.DOTALL)
COMMANDS: Final = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _table(kind: str) -> str:
    """The fields of a kind with the names that stand for them, as the page should have them."""
    if kind == "all":
        fields, required = tuple(columns.names()["all"]), ()
    else:
        fields = tuple(f for f in KINDS[kind].fields if f not in columns.names()["all"])
        required = KINDS[kind].required
    lines = ["", "| Field | Chinese names | Other names |", "|---|---|---|"]
    for field in fields:
        known = [name for name in columns.guesses(kind, field) if name != field]
        chinese = ", ".join(name for name in known if not name.isascii())
        other = ", ".join(f"`{name}`" for name in known if name.isascii())
        shown = f"**`{field}`**" if field in required else f"`{field}`"
        lines.append(f"| {shown} | {chinese} | {other} |")
    return "\n".join(lines) + "\n\n"


def _written() -> str:
    """The page with the tables of today."""
    return BLOCK.sub(
        lambda block: f"<!-- fields of {block[1]} -->\n{_table(block[1])}<!-- end -->",
        PAGE.read_text(encoding="utf-8"),
    )


def test_the_page_names_the_columns_of_every_kind() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [kind for kind, _ in BLOCK.findall(text)][1:] == re.findall(r"^### (\w+)$", text, re.M)
    assert {kind for kind, _ in BLOCK.findall(text)} == {"all", *KINDS}
    for kind, shown in BLOCK.findall(text):
        assert shown == _table(kind), "run: python -m tests.data.importers.test_docs"


def test_the_page_names_every_format() -> None:
    named = set(re.findall(r"`(\.[a-z.]+)`", PAGE.read_text(encoding="utf-8")))
    lacking = {ending.removesuffix(".gz") for ending in guards.FORMATS} - named
    assert lacking == {".pbf"}  # the short form of .osm.pbf


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that the page speaks of, in the working folder."""
    monkeypatch.chdir(tmp_path)
    village = "150121100001"
    pd.DataFrame(
        {"村代码": [village], "村": ["东沟嘎查"], "乡镇代码": ["150121100"], "乡镇": ["察素齐镇"],
         "旗县代码": ["150121"], "旗县": ["土默特左旗"]}
    ).to_excel("villages.xlsx", index=False)  # fmt: skip
    ring = shapely.box(111, 40.7, 111.02, 40.72).exterior.coords
    shifted = [[float(v) for v in from_wgs84(x, y, "gcj02")] for x, y in ring]
    Path("borders.geojson").write_text(
        '{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"code":"'
        f'{village}"}},"geometry":{{"type":"Polygon","coordinates":[{shifted}]}}}}]}}',
        encoding="utf-8",
    )
    Path("houses.csv").write_bytes(
        "编号,经度,纬度,hs\n1,111.01,40.71,3\n2,111.012,40.71,-1\n".encode("gbk")
    )
    metres = [from_wgs84(x, 40.71, "EPSG:4546") for x in (111.0, 111.02)]
    line = ", ".join(f"{float(x):.3f} {float(y):.3f}" for x, y in metres)
    Path("roads.csv").write_text(f'编号,等级,几何\n1,主干路,"LINESTRING ({line})"\n', "utf-8")
    pd.DataFrame({"工号": ["1"], "姓名": ["甲山"]}).to_excel("workers.xlsx", index=False)
    Path("hotline.csv").write_text(
        "工单号,事件类型,发生时间,经度,纬度\nA1,,2024年3月5日8时7分,111.01,40.71\n"
        "A2,,2024-03-05,,\n",
        encoding="utf-8",
    )
    Path("names.csv").write_text("工号,姓名\n1,甲河\n", encoding="utf-8")
    Path("cameras.csv").write_text("编号,经度,纬度\nc1,111.01,40.71\n", encoding="utf-8")


@pytest.mark.usefixtures("office")
def test_the_commands_of_the_page_work_as_written(wangge: Commands, database: Database) -> None:
    typed = "".join(COMMANDS.findall(PAGE.read_text(encoding="utf-8"))).splitlines()
    assert len(typed) > 5
    for line in typed:
        words = shlex.split(line)
        assert words[:2] == ["./run", "wangge"]
        code, said = wangge(*words[2:])
        assert code == 0, f"{line}\n{said}"
    assert len(pd.read_csv("rejected.csv")) == 1
    with database.transaction() as session:
        counted = execute(
            session,
            "SELECT (SELECT count(*) FROM admin_units), (SELECT sum(households) FROM buildings), "
            "(SELECT count(*) FROM persons), (SELECT count(*) FROM cameras), "
            "(SELECT count(*) FROM incidents WHERE source = '12345')",
        ).one()
        assert tuple(counted) == (3, 3, 1, 0, 2)
        assert execute(session, "SELECT name FROM persons").scalar_one() == "甲河"
        # GCJ-02 borders and a road in a 3-degree zone land where the house is.
        east, on_road = execute(
            session,
            "SELECT ST_XMax(u.geom), ST_Distance(b.geom::geography, ST_MakePoint(111.01, 40.71)) "
            "FROM admin_units u, barriers b WHERE u.level = 12",
        ).one()
        assert east == pytest.approx(111.02, abs=1e-7)
        assert on_road < 1


if __name__ == "__main__":
    PAGE.write_text(_written(), encoding="utf-8")
