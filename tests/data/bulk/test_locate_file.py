"""Files of points of every kind, in pieces; what a kill leaves, and how it goes on."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from data.bulk import csv_blocks, pieces
from data.bulk.output import Changed, Output
from data.bulk.run import Here
from data.importers import guards
from gis.errors import BadInput, Conflict, NotFound
from tests import factories
from tests.data.bulk.conftest import ROWS, located

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from data.bulk.pieces import Piece
    from data.bulk.work import Done, Task
    from gis.locator import Locator

pytestmark = pytest.mark.usefixtures("_small")


def geo(rows: pd.DataFrame) -> gpd.GeoDataFrame:
    points = gpd.points_from_xy(rows["lon"], rows["lat"])
    return gpd.GeoDataFrame(rows.drop(columns=["lon", "lat"]), geometry=points, crs=4326)


def write(rows: pd.DataFrame, path: Path) -> None:
    match path.name:
        case "points.csv" | "points.csv.gz":
            rows.to_csv(path, index=False)
        case "gbk.csv":
            rows.to_csv(path, index=False, encoding="gb18030")
        case "utf16.csv":
            rows.to_csv(path, index=False, encoding="utf-16", sep="\t")
        case "excel.csv":
            rows.to_csv(path, index=False, encoding="utf-8-sig", sep=";")
        case "plain.parquet":
            rows.to_parquet(path, row_group_size=50)
        case "geo.parquet":
            geo(rows).to_parquet(path, row_group_size=50)
        case "metres.parquet":
            geo(rows).to_crs(4547).to_parquet(path)
        case "points.xlsx":
            rows.to_excel(path, index=False)
        case "points.fgb":
            geo(rows).to_file(path, SPATIAL_INDEX="NO")  # which would put them in its order
        case _:
            geo(rows).to_file(path)


@pytest.mark.parametrize("out", ["out.csv", "out.parquet"])
@pytest.mark.parametrize(
    "name",
    ["points.csv", "points.csv.gz", "gbk.csv", "utf16.csv", "excel.csv", "plain.parquet",
     "geo.parquet", "metres.parquet", "points.xlsx", "points.gpkg", "points.fgb"],
)  # fmt: skip
def test_every_kind_of_file(  # noqa: PLR0917 - a fixture each
    name: str, out: str, rows: pd.DataFrame, grid_of: list[str], locator: Locator, tmp_path: Path
) -> None:
    write(rows, tmp_path / name)
    path = tmp_path / out
    totals = located(tmp_path / name, path, locator)
    inside = sum(each != "" for each in grid_of)
    assert (totals.rows, totals.inside, totals.outside) == (ROWS, inside, ROWS - inside)
    found = (
        pd.read_csv(path, dtype=str, keep_default_na=False)
        if out == "out.csv"
        else pd.read_parquet(path).fillna({"grid_code": ""})
    )
    place = (
        []
        if name in {"geo.parquet", "metres.parquet", "points.gpkg", "points.fgb"}
        else ["lon", "lat"]
    )
    assert list(found.columns) == ["name", *place, "code", "grid_code"]
    assert found["code"].tolist() == rows["code"].tolist()
    if name != "points.xlsx":  # which knows no carriage return
        assert found["name"].str.replace("\r\n", "\n").tolist() == (
            rows["name"].str.replace("\r\n", "\n").tolist()
        )
    if name != "metres.parquet":  # which are rounded
        assert found["grid_code"].tolist() == grid_of
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([name, out])


@given(
    rows=st.lists(st.lists(st.text("a\"', \n\r;中", max_size=6), min_size=2, max_size=2)),
    block=st.integers(1, 60),
    ending=st.sampled_from(["\n", "\r\n", "\r"]),
    is_cut=st.booleans(),
    quotes_all=st.booleans(),
)
def test_blocks_of_csv_are_whole_rows(  # noqa: PLR0917
    rows: list[list[str]], block: int, ending: str, is_cut: bool, quotes_all: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    quoting = csv.QUOTE_ALL
    if not quotes_all:  # Python then leaves ends of lines bare that are not its own
        rows = [[re.sub(r"[\r\n]", "", each) for each in row] for row in rows]
        quoting = csv.QUOTE_MINIMAL
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=quoting, lineterminator=ending)
    writer.writerows([["p", "q"], *rows])
    content = text.getvalue().encode()
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    path.write_bytes(content[: -len(ending)] if is_cut else content)
    checked = guards.check_file(path)
    form = csv_blocks.form_of(checked)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_blocks, "BLOCK", block)
        cut = list(csv_blocks.blocks(checked, form))
    assert [each for _, _, each in cut] == [None] * len(cut)
    assert [start for start, _, _ in cut] == [form.starts, *(stop for _, stop, _ in cut)][
        : len(cut)
    ]
    blocks = [csv_blocks.read_block(path, start, stop) for start, stop, _ in cut]
    assert b"".join(blocks) == path.read_bytes()[form.starts :]
    read = [row for each in blocks for row in csv_blocks.table_of(each, form).to_pylist()]
    assert [[row["p"] or "", row["q"] or ""] for row in read] == rows


class Ended(Exception):
    """As a kill is."""


class Some(Here):
    """Does so many pieces, and then there is nothing more."""

    def __init__(self, locator: Locator, most: int) -> None:
        super().__init__(locator)
        object.__setattr__(self, "most", most)
        object.__setattr__(self, "asked", [])

    def results(
        self, todo: Iterator[Piece], task: Task, output: Output
    ) -> Iterator[tuple[Piece, Done]]:
        for piece, done in super().results(todo, task, output):
            if len(self.asked) == self.most:  # type: ignore[attr-defined]
                raise Ended
            self.asked.append(piece.number)  # type: ignore[attr-defined]
            yield piece, done


@pytest.mark.parametrize("source", ["points.csv", "geo.parquet", "points.csv.gz"])
@pytest.mark.parametrize("out", ["out.csv", "out.parquet", "out"])
def test_goes_on_where_it_was_ended(
    source: str, out: str, rows: pd.DataFrame, locator: Locator, tmp_path: Path
) -> None:
    write(rows, tmp_path / source)
    whole = located(tmp_path / source, tmp_path / f"whole-{out}", locator)
    for most in (0, 3, 1):
        with pytest.raises(Ended):
            located(
                tmp_path / source, tmp_path / out, locator, resumes=True, spread=Some(locator, most)
            )
        assert not (tmp_path / out).exists()
        # A kill leaves half a line, and rows that nothing says are there.
        with (tmp_path / f".{out}.part" / "journal.jsonl").open("a") as journal:
            journal.write('{"piece": 99, "ro')
        if out == "out.csv":
            with (tmp_path / ".out.csv.part" / "rows.csv").open("ab") as file:
                file.write(b"half a r")
    last = Some(locator, 1000)
    totals = located(tmp_path / source, tmp_path / out, locator, resumes=True, spread=last)
    assert last.asked[0] == 4, "the four that were done are not done again"  # type: ignore[attr-defined]
    assert totals == whole
    if out == "out":
        names = sorted(each.name for each in (tmp_path / out).iterdir())
        assert names == sorted(each.name for each in (tmp_path / "whole-out").iterdir())
        assert len(names) > 4
        pairs = [(tmp_path / out / each, tmp_path / "whole-out" / each) for each in names]
    else:
        pairs = [(tmp_path / out, tmp_path / f"whole-{out}")]
    assert all(one.read_bytes() == other.read_bytes() for one, other in pairs)
    assert not (tmp_path / f".{out}.part").exists()


def test_does_not_go_on_with_something_else(
    rows: pd.DataFrame, locator: Locator, tmp_path: Path
) -> None:
    points, out = tmp_path / "points.csv", tmp_path / "out.csv"
    rows.to_csv(points, index=False)
    with pytest.raises(Ended):
        located(points, out, locator, spread=Some(locator, 2))
    with pytest.raises(Changed, match=r"coordinates was .*lon.*, is .*lat"):
        located(points, out, locator, resumes=True, lon="lat", lat="lon", crs="EPSG:3857")
    grids = factories.squares().iloc[1:]
    other = locator.build(grids.geometry.to_numpy(), grids["code"].to_numpy())
    with pytest.raises(Changed, match=r"grids was "):
        located(points, out, other, resumes=True)
    with points.open("a") as file:
        file.write("x,117.01,45.01,9999\n")
    with pytest.raises(Changed, match=r"points was .*--resume"):
        located(points, out, locator, resumes=True)
    assert located(points, out, locator).rows == ROWS + 1, "without --resume it begins anew"


def test_two_runs_do_not_write_one_file(
    rows: pd.DataFrame, locator: Locator, tmp_path: Path
) -> None:
    points, out = tmp_path / "points.csv", tmp_path / "out.csv"
    rows.to_csv(points, index=False)
    other = Output(out, {}, resumes=False)
    with pytest.raises(Conflict, match="another run is writing"):
        located(points, out, locator)
    other.close()
    located(points, out, locator)


def test_partitions_stay_partitions_and_geoparquet(
    rows: pd.DataFrame, grid_of: list[str], locator: Locator, tmp_path: Path
) -> None:
    points = geo(rows)
    folder = tmp_path / "points"
    for county, start in (("990121", 0), ("990122", 200)):
        (folder / f"county={county}").mkdir(parents=True)
        for n in range(2):
            part = points.iloc[start + 100 * n : start + 100 * n + 100]
            part.to_parquet(folder / f"county={county}" / f"{n}.parquet", row_group_size=40)
    (folder / "_SUCCESS").write_text("")
    points.iloc[400:400].to_parquet(folder / "county=990122" / "2.parquet")
    totals = located(folder, tmp_path / "out", locator)
    assert totals.rows == 400
    files = sorted(
        str(each.relative_to(tmp_path / "out")) for each in (tmp_path / "out").rglob("*.parquet")
    )
    assert files == [
        "county=990121/0-00000.parquet", "county=990121/0-00001.parquet",
        "county=990121/1-00000.parquet", "county=990121/1-00001.parquet",
        "county=990122/0-00000.parquet", "county=990122/0-00001.parquet",
        "county=990122/1-00000.parquet", "county=990122/1-00001.parquet",
        "county=990122/2.parquet",
    ]  # fmt: skip
    read = [gpd.read_parquet(tmp_path / "out" / each) for each in files]
    assert all(each.crs == points.crs for each in read)
    for each in files:
        told = pq.read_schema(tmp_path / "out" / each).metadata[b"geo"]
        assert "bbox" not in json.loads(told)["columns"]["geometry"], "it is that of another file"
    together = pd.concat(read)
    assert together["grid_code"].fillna("").tolist() == grid_of[:400]
    assert together.geometry.to_wkb().tolist() == points.geometry.to_wkb().tolist()[:400]
    located(folder, tmp_path / "one.csv", locator)
    found = pd.read_csv(tmp_path / "one.csv", dtype=str, keep_default_na=False)
    assert list(found.columns) == ["name", "code", "county", "grid_code"]
    assert found["county"].tolist() == ["990121"] * 200 + ["990122"] * 200
    with pytest.raises(Conflict, match="is there already"):
        located(folder, tmp_path / "out", locator)


def test_files_of_one_stem_do_not_overwrite_each_other(
    rows: pd.DataFrame, locator: Locator, tmp_path: Path
) -> None:
    folder = tmp_path / "points"
    folder.mkdir()
    rows[:100].to_parquet(folder / "a.geoparquet", row_group_size=50)
    rows[100:220].to_parquet(folder / "a.parquet", row_group_size=50)
    rows[220:230].to_parquet(folder / "a-00001.parquet")
    located(folder, tmp_path / "out", locator)
    found = pd.concat(pd.read_parquet(each) for each in (tmp_path / "out").iterdir())
    assert sorted(found["code"]) == rows["code"].tolist()[:230]


def test_a_folder_of_different_files_is_refused(
    rows: pd.DataFrame, locator: Locator, tmp_path: Path
) -> None:
    folder = tmp_path / "points"
    folder.mkdir()
    with pytest.raises(NotFound, match="no Parquet file in the folder"):
        located(folder, tmp_path / "out", locator)
    rows.to_parquet(folder / "a.parquet")
    rows.assign(code=rows.index).drop(columns="name").to_parquet(folder / "b.parquet")
    with pytest.raises(
        BadInput, match=r"b\.parquet: its columns are not those of a\.parquet \(without name\)"
    ):
        located(folder, tmp_path / "out", locator)


def test_rows_without_a_position_are_counted_and_the_first_named(
    locator: Locator, tmp_path: Path
) -> None:
    lon, lat = factories.middle(0)
    count = 700
    frame = pd.DataFrame({"lon": np.full(count, lon), "lat": np.full(count, lat)}).astype(str)
    frame.loc[10:409, "lat"] = ""
    frame.loc[500:649, "lon"] = "400"
    frame.loc[650, "lon"] = "inf"
    frame.loc[651, "lon"] = "１１7.0x"
    frame.loc[652:653, "lon"] = [f"{lon}°", f" {lon} "]
    frame.loc[654, ["lon", "lat"]] = ["NaN", "null"]
    frame.to_csv(tmp_path / "points.csv", index=False)
    totals = located(tmp_path / "points.csv", tmp_path / "out.csv", locator)
    faults = totals.faults
    assert (totals.rows, totals.inside, totals.outside) == (700, 147, 0)
    assert (faults.missing, faults.wrong) == (401, 152)
    assert faults.first_missing == list(range(11, 111))
    assert [row for row, _ in faults.first_wrong] == list(range(501, 601))
    assert faults.first_wrong[0][1] == f"(400, {lat:g}) is no position in wgs84"


def test_points_of_geometry_that_are_none(locator: Locator, tmp_path: Path) -> None:
    lon, lat = factories.middle(1)
    point = shapely.Point(lon, lat)
    shapes = [point, None, shapely.Point(400, 45), shapely.Point(), point]
    for name, kept in (("flat", shapes), ("high", [*shapes[:4], shapely.Point(lon, lat, 900)])):
        raw = [None if each is None else shapely.to_wkb(each) for each in kept]
        table = pa.table({"wkb": pa.array(raw, pa.binary())})
        told = {"primary_column": "wkb", "columns": {"wkb": {"encoding": "WKB"}}}
        path = tmp_path / f"{name}.parquet"
        pq.write_table(table.replace_schema_metadata({"geo": json.dumps(told)}), path)
        totals = located(path, tmp_path / "out.csv", locator)
        assert (totals.inside, totals.faults.missing) == (2, 2)
        assert totals.faults.first_wrong == [(3, "(400, 45) is no position in OGC:CRS84")]
    gpd.GeoDataFrame(geometry=[shapely.LineString([(117, 45), (118, 45)])], crs=4326).to_parquet(
        tmp_path / "lines.parquet"
    )
    with pytest.raises(BadInput, match="points are wanted, there are LineString"):
        located(tmp_path / "lines.parquet", tmp_path / "out.csv", locator)


def test_rows_of_other_lengths_are_named_by_their_number(locator: Locator, tmp_path: Path) -> None:
    lines = ["name,lon,lat"] + [f"n{n},117.01,45.01" for n in range(400)]
    lines[300] = "n,117.01"
    lines[301] = "n,117.01,45.01,more"
    (tmp_path / "points.csv").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(BadInput) as refused:
        located(tmp_path / "points.csv", tmp_path / "out.csv", locator)
    told = [(each.row, each.reason) for each in refused.value.problems]
    assert told == [(300, "it has 2 values for 3 columns"), (301, "it has 4 values for 3 columns")]
    assert [each.name for each in tmp_path.iterdir()] == ["points.csv"]


@pytest.mark.parametrize("content", ["", "lon,lat\n", "lon,lat"])
def test_files_without_rows(content: str, locator: Locator, tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text(content)
    with pytest.raises(BadInput, match=r"is empty|has no rows"):
        located(tmp_path / "points.csv", tmp_path / "out.csv", locator)


def test_what_csv_cannot_hold_is_written_as_json(locator: Locator, tmp_path: Path) -> None:
    lon, lat = factories.middle(0)
    columns: dict[str, Any] = {
        "lon": [lon], "lat": [lat], "tags": [["甲", "b"]], "raw": [b"\x01\xff"],
        "kind": pa.array(["x"]).dictionary_encode(), "grid_code": ["taken"], "code": ["taken"],
    }  # fmt: skip
    pq.write_table(pa.table(columns), tmp_path / "points.parquet")
    located(tmp_path / "points.parquet", tmp_path / "out.csv", locator)
    row = pd.read_csv(tmp_path / "out.csv", dtype=str).iloc[0]
    assert (row["tags"], row["raw"], row["kind"]) == ('["甲", "b"]', "01ff", "x")
    assert row["grid_code_2"] == factories.grid_code(0)


def test_pieces_are_bounded(rows: pd.DataFrame, tmp_path: Path) -> None:
    rows.to_csv(tmp_path / "points.csv", index=False)
    source = pieces.Source(tmp_path / "points.csv")
    found = list(source.pieces())
    assert len(found) > 5
    assert all(each.content is None for each in found)
    assert sum(each.amount for each in found) == source.total


def test_a_file_that_ends_in_the_middle(
    rows: pd.DataFrame, locator: Locator, tmp_path: Path
) -> None:
    path = tmp_path / "points.geojson"
    geo(rows).to_file(path)
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: len(text) * 2 // 3], encoding="utf-8")
    with pytest.raises(BadInput, match=r"points\.geojson cannot be read"):
        located(path, tmp_path / "out.csv", locator)
    assert not (tmp_path / "out.csv").exists()


def test_a_file_that_grows_while_it_is_read(
    rows: pd.DataFrame, locator: Locator, tmp_path: Path
) -> None:
    path = tmp_path / "points.csv"
    rows.to_csv(path, index=False)

    class Growing(Here):
        def results(self, *arguments: Any) -> Iterator[tuple[Piece, Done]]:
            yield from super().results(*arguments)
            with path.open("a") as file:
                file.write("x,117.01,45.01,9999\n")

    with pytest.raises(BadInput, match=r"points\.csv: it was changed while it was read"):
        located(path, tmp_path / "out.csv", locator, spread=Growing(locator))
    assert not (tmp_path / "out.csv").exists()
