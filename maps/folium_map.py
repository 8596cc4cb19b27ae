"""A heat map as one web page that opens without a network, made by folium."""

from __future__ import annotations

import base64
import html
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast
from zoneinfo import ZoneInfo

import folium
import numpy as np
import numpy.typing as npt
import shapely
from branca.element import Element, Figure

from gis.errors import BadInput, Problem
from maps import heatmap_text as text
from maps.contours import differences
from maps.folium_controls import Steps, View, view_buttons
from maps.heatmap import Heatmap
from maps.heatmap_text import Language, word
from maps.output import replacing
from maps.palettes import (
    NOT_KNOWN,
    NOT_KNOWN_MARK,
    hatched,
    hex_colour,
    labels,
    nice_breaks,
    number,
    over,
    ramp,
    rgba,
    stippled,
)
from maps.raster import mercator_gaps, mercator_values, png_bytes
from maps.series import Series

if TYPE_CHECKING:
    import geopandas as gpd


PageLanguage: TypeAlias = Literal["zh", "en", "both"]

MAX_POINTS = 20_000
"""More points than that make a page that browsers open slowly and nobody can read."""

_LEAFLET = Path(__file__).parent / "vendor" / "leaflet-1.9.4"
_PICTURE_PX, _MAX_PICTURE_PX = 1600, 4096
_OPACITY = 0.8
_INSIDE = (251, 250, 246)
_DIFFERENCE = {
    "higher": {"color": "#1d2430", "weight": 2, "fill": False},
    "lower": {"color": "#1f5f99", "weight": 2, "fill": False, "dashArray": "6 4"},
}
_OUTSIDE = "#e4e5e3"
# A metre is about 1e-5 degrees; drawing needs no more than 6 digits, and they halve the file.
_DIGITS = 6


def write_html(
    heatmap: Heatmap,
    path: Path | str,
    *,
    grids: gpd.GeoDataFrame | None = None,
    points: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    language: PageLanguage = "both",
    breaks: list[float] | None = None,
    series: Series | None = None,
) -> None:
    """Write the map as one HTML file with everything in it.

    Leaflet is inlined, there are no base map tiles: the area, the outlines of the grids and the
    density are all there is, and no request leaves the file. It opens where most of the events
    are; a button shows the whole area.

    Parameters
    ----------
    grids
        Polygons with a CRS (none: WGS 84) drawn as outlines; `code`, `name` and `worker`, where
        there are such columns, are shown on hover.
    points
        Longitudes and latitudes of single events. Only for the case team: such a page must not
        leave it.
    language
        ``"both"`` has a switch on the page and opens in Chinese.
    breaks
        Lower class bounds; readable numbers for this map when left out.
    series
        Maps of the parts of `heatmap`, to be chosen by a slider on the page; their bounds are used.

    Raises
    ------
    BadInput
        A suffix other than .html or .htm, an unknown language, more than 20,000 points, a folder
        that does not exist.
    """
    _check(path, language, points)
    used = nice_breaks(heatmap.maximum) if breaks is None else breaks
    if series is not None:
        used = series.breaks
    page = folium.Map(
        tiles=None,
        prefer_canvas=True,
        zoom_control="topright",
        attribution_control=False,
        min_zoom=3,
        max_zoom=19,
        zoom_snap=0.25,
    )
    # Set on this map, not on the class: other users of folium in the process keep their own.
    page.default_js, page.default_css = [], []
    inline_leaflet(page)
    if heatmap.area is not None:
        _add_area(page, heatmap)
    if used or heatmap.no_data.any() or heatmap.hidden.any():
        _add_density(page, heatmap, used)
    if series is None:
        _add_differences(page, heatmap)
    else:
        for part in series.parts:
            _add_density(page, part.heatmap, used)
        Steps(series).add_to(page)
    if grids is not None:
        _add_grids(page, grids)
    if points is not None:
        _add_points(page, *points)
    View({"whole": heatmap.bounds, "bulk": heatmap.bulk_bounds}).add_to(page)
    languages = text.LANGUAGES if language == "both" else (language,)
    root = figure_of(page)
    root.html.add_child(Element(_panel(heatmap, languages, used, series)))
    rendered = root.render()
    with replacing(path) as temporary:
        temporary.write_text(rendered, encoding="utf-8")


def _check(
    path: Path | str, language: str, points: tuple[npt.ArrayLike, npt.ArrayLike] | None
) -> None:
    problems = []
    if Path(path).suffix.lower() not in {".html", ".htm"}:
        problems.append(Problem(f"{Path(path).name} is not .html", field="path"))
    if language not in {*text.LANGUAGES, "both"}:
        problems.append(Problem(f"language {language!r}", "Give zh, en or both.", field="language"))
    if points is not None and np.size(points[0]) > MAX_POINTS:
        problems.append(
            Problem(
                f"{np.size(points[0]):,} points",
                f"A page takes at most {MAX_POINTS:,}; the density shows the rest.",
                field="points",
            )
        )
    if problems:
        raise BadInput(problems)


def figure_of(page: folium.Map) -> Figure:
    """Return what the page is written from."""
    return cast("Figure", page.get_root())


def inline_leaflet(page: folium.Map) -> None:
    """Put Leaflet into the page itself, and forbid the page to load anything else."""
    script = (_LEAFLET / "leaflet.js").read_text(encoding="utf-8")
    style = (_LEAFLET / "leaflet.css").read_text(encoding="utf-8")
    head = figure_of(page).header
    # First, so that it holds for all that follows: the page forbids itself to load anything.
    head.add_child(
        Element(
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
            "img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">"
        ),
        name="policy",
        index=0,
    )
    head.add_child(Element(f"<style>{style}</style>"), name="leaflet_css")
    head.add_child(Element(f"<script>{script}</script>"), name="leaflet_js")


def _add_area(page: folium.Map, heatmap: Heatmap) -> None:
    import geopandas as gpd  # noqa: PLC0415  (slow to load)

    # A pane of its own below the density, which would lie under everything on the canvas.
    folium.map.CustomPane("ground", z_index=250, pointer_events=True).add_to(page)
    area = rounded_geojson(gpd.GeoDataFrame(geometry=[heatmap.area], crs=4326))
    folium.GeoJson(
        area,
        name="area",
        style_function=lambda _: {
            "stroke": False,
            "fillColor": hex_colour(_INSIDE),
            "fillOpacity": 1,
        },
        pane="ground",
        interactive=False,
    ).add_to(page)
    folium.GeoJson(
        area,
        name="outline",
        style_function=lambda _: {"color": "#1d2430", "weight": 1.6, "fill": False},
        interactive=False,
    ).add_to(page)


def _add_density(page: folium.Map, heatmap: Heatmap, breaks: list[float]) -> None:
    width = min(_MAX_PICTURE_PX, max(_PICTURE_PX, heatmap.values.shape[1]))
    values, bounds = mercator_values(heatmap, width)
    picture = rgba(values, breaks, opacity=_OPACITY)
    no_data, hidden = mercator_gaps(heatmap, width)
    picture[no_data] = stippled(no_data)[no_data]
    picture[hidden] = hatched(hidden)[hidden]
    data = base64.b64encode(png_bytes(picture)).decode("ascii")
    west, south, east, north = bounds
    folium.raster_layers.ImageOverlay(
        f"data:image/png;base64,{data}",
        bounds=[[south, west], [north, east]],
        # Already in Web Mercator: the overlay is stretched there, and every place stays put.
        mercator_project=False,
        opacity=1,
        alt=text.heading(heatmap, "en"),
        zindex=1,
    ).add_to(page)


def _add_differences(page: folium.Map, heatmap: Heatmap) -> None:
    frame = differences(heatmap)
    if frame.empty:
        return
    frame["geometry"] = frame.geometry.boundary
    folium.GeoJson(
        rounded_geojson(frame[["difference", "geometry"]]),
        name="differences",
        style_function=lambda feature: _DIFFERENCE[feature["properties"]["difference"]],
        interactive=False,
    ).add_to(page)


def _add_grids(page: folium.Map, grids: gpd.GeoDataFrame) -> None:
    frame = grids if grids.crs is not None else grids.set_crs(4326)
    shown = [name for name in ("code", "name", "worker") if name in frame.columns]
    frame = frame[[*shown, frame.geometry.name]].to_crs(4326)
    shapes = frame.geometry.array
    frame = frame[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))]
    if frame.empty:
        return
    for name in shown:
        # The tooltip takes its words for markup.
        frame[name] = frame[name].map(lambda word: html.escape(str(word)), na_action="ignore")
    folium.GeoJson(
        rounded_geojson(frame),
        name="grids",
        style_function=lambda _: {"color": "#4d5661", "weight": 0.7, "fillOpacity": 0},
        highlight_function=lambda _: {"color": "#0b5cad", "weight": 2},
        tooltip=folium.GeoJsonTooltip(shown, labels=False) if shown else None,
    ).add_to(page)


def _add_points(page: folium.Map, lon: npt.ArrayLike, lat: npt.ArrayLike) -> None:
    import geopandas as gpd  # noqa: PLC0415

    series = gpd.GeoSeries.from_xy(np.asarray(lon), np.asarray(lat), crs=4326)
    frame = gpd.GeoDataFrame(geometry=series[~series.is_empty])
    folium.GeoJson(
        rounded_geojson(frame),
        name="points",
        marker=folium.CircleMarker(
            radius=2.5, weight=0.6, color="#ffffff", fill_color="#1d2430", fill_opacity=0.85
        ),
    ).add_to(page)


def rounded_geojson(frame: gpd.GeoDataFrame) -> dict[str, Any]:
    """Return a layer as GeoJSON with no more figures than a drawing needs."""
    rounded = frame.set_geometry(frame.geometry.set_precision(10.0**-_DIGITS, mode="pointwise"))
    collection: dict[str, Any] = json.loads(rounded.to_json(drop_id=True))
    return collection


def _panel(
    heatmap: Heatmap, languages: tuple[Language, ...], breaks: list[float], series: Series | None
) -> str:
    """Return the panel with title, legend and facts, one part per language, and the switch."""
    parts = "\n".join(
        f'<div class="wangge-part" lang="{"zh-CN" if language == "zh" else "en"}"'
        f"{'' if i == 0 else ' hidden'}>{_part(heatmap, language, breaks, series)}</div>"
        for i, language in enumerate(languages)
    )
    switch = ""
    if len(languages) > 1:
        switch = '<button type="button" id="wangge-language" lang="en">English</button>'
    slider = ""
    if series is not None:
        slider = (
            '<p class="slider"><button type="button" id="wangge-play" aria-label="play">\u25b6'
            '</button><input type="range" id="wangge-slider" min="0" value="0" step="1" '
            f'max="{len(series.parts)}"></p>'
        )
    return f"<style>{STYLE}</style><aside id='wangge-panel'>{switch}{slider}{parts}</aside>{SCRIPT}"


def _part(heatmap: Heatmap, language: Language, breaks: list[float], series: Series | None) -> str:
    def escape(words: str) -> str:
        return html.escape(words)

    rows = [
        (hex_colour(over(colour, _INSIDE, _OPACITY)), label)
        for colour, label in zip(ramp(len(breaks)) if breaks else [], labels(breaks), strict=True)
    ][::-1]
    if breaks:
        rows.append((hex_colour(_INSIDE), f"{word('below', language)} {number(breaks[0])}"))
    elif np.isfinite(heatmap.values).any():
        rows.append((hex_colour(_INSIDE), "0"))
    ground, mark = hex_colour(NOT_KNOWN), hex_colour(NOT_KNOWN_MARK)
    if heatmap.no_data.any():
        dots = f"radial-gradient(circle, {mark} 1px, {ground} 1.5px) 0 0 / 6px 6px"
        rows.append((dots, word("no_data", language)))
    if heatmap.hidden.any():
        stripes = f"{mark} 0 2px, {ground} 2px 6px"
        rows.append((f"repeating-linear-gradient(-45deg, {stripes})", word("hidden", language)))
    if heatmap.area is not None:
        rows.append((_OUTSIDE, word("outside", language)))
    legend = "".join(
        f'<li><i style="background:{colour}"></i>{escape(label)}</li>' for colour, label in rows
    )
    for name in differences(heatmap)["difference"] if series is None else ():
        style, line = _DIFFERENCE[name], "dashed" if "dashArray" in _DIFFERENCE[name] else "solid"
        legend += (
            f'<li><b style="border-top:2px {line} {style["color"]}"></b>'
            f"{escape(word(name, language))}</li>"
        )
    made = heatmap.made_on.astimezone(ZoneInfo(heatmap.timezone))
    facts = [
        ("events", text.count(heatmap, language)),
        _highest(heatmap, series) if breaks else ("maximum", ""),
        ("bandwidth", text.distance(heatmap.bandwidth_m)),
        ("cell", text.distance(heatmap.cell_m)),
        ("source", heatmap.source),
        ("crs", text.crs_name(heatmap)),
        ("made", f"{made:%Y-%m-%d}"),
        ("made_by", text.MADE_BY),
    ]
    table = "".join(
        f"<dt>{word(key, language)}</dt><dd>{escape(value)}</dd>" for key, value in facts if value
    )
    views = "" if heatmap.bulk_m is None else view_buttons(language)
    step = ""
    if series is not None:
        step = f'<p class="wangge-step strong" data-language="{language}" aria-live="polite"></p>'
    strong = ' class="strong"' if heatmap.suppressed else ""
    one_legend = [] if series is None else [word("one_legend", language)]
    sentences = "".join(f"<p>{escape(s)}</p>" for s in one_legend)
    sentences += "".join(
        f"<p{strong}>{escape(s)}</p>"
        for s in text.notes(heatmap, language, has_lines=series is None)
    )
    return (
        f"<h1>{escape(text.heading(heatmap, language))}</h1>"
        f"<p class='sub'>{escape(' · '.join(text.subtitle(heatmap, language)))}</p>"
        f"{step}{views}<h2>{escape(text.unit(heatmap, language))}</h2><ul>{legend}</ul>"
        f"<dl>{table}</dl>{sentences}"
    )


def _highest(heatmap: Heatmap, series: Series | None) -> tuple[str, str]:
    """Return the highest value of all that the legend is for, and the word for it."""
    if series is None:
        return "maximum", f"{heatmap.maximum:.3g}"
    return "maximum_of_all", f"{series.maximum:.3g}"


STYLE = """
html, body { margin: 0; height: 100%; }
.leaflet-container { background: rgb(228, 229, 227); }
.leaflet-image-layer { image-rendering: auto; }
#wangge-panel {
  position: fixed; left: 12px; top: 12px; z-index: 1000; box-sizing: border-box;
  width: 17.5rem; max-height: calc(100vh - 60px); overflow: auto; padding: 14px 16px;
  background: rgba(255, 255, 255, .96); border-radius: 6px; color: #1d2430;
  box-shadow: 0 1px 6px rgba(0, 0, 0, .3);
  font: 13px/1.45 "Noto Sans CJK SC", "Noto Sans SC", "Microsoft YaHei", "PingFang SC", sans-serif;
}
#wangge-panel h1 { font-size: 17px; line-height: 1.3; margin: 0 56px 4px 0; }
#wangge-panel h2 { font-size: 13px; margin: 10px 0 6px; }
#wangge-panel p { margin: 4px 0; color: #4a535e; font-size: 12px; }
#wangge-panel p.strong { color: #1d2430; font-size: 14px; font-weight: bold; }
#wangge-panel ul { list-style: none; margin: 0; padding: 0; }
#wangge-panel li { display: flex; align-items: center; gap: 9px; line-height: 1.65; }
#wangge-panel li i { width: 26px; height: 16px; border: 1px solid #7d8590; }
#wangge-panel li b { width: 28px; }
#wangge-panel dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 10px;
  margin: 10px 0 6px; }
#wangge-panel dt { color: #4a535e; }
#wangge-panel dd { margin: 0; overflow-wrap: anywhere; }
#wangge-panel .views { display: flex; align-items: center; gap: 6px; margin-top: 8px; }
#wangge-panel button { font: inherit; font-size: 12px; padding: 2px 7px; min-height: 24px;
  cursor: pointer; border: 1px solid #7d8590; border-radius: 4px; background: #fff;
  color: #1d2430; }
#wangge-panel button:hover { background: #e8f1fa; }
#wangge-panel .slider { display: flex; gap: 8px; margin: 0 70px 8px 0; }
#wangge-panel .slider input { flex: 1; min-width: 0; }
#wangge-language { position: absolute; right: 12px; top: 13px; }
@media (max-width: 600px) { #wangge-panel { max-height: 45vh; } }
@media print { #wangge-panel button, .views, .leaflet-control-zoom { display: none; } }
"""

SCRIPT = """<script>
(function () {
  const button = document.getElementById("wangge-language");
  const parts = document.querySelectorAll(".wangge-part");
  const name = function () {
    const shown = document.querySelector(".wangge-part:not([hidden])");
    document.documentElement.lang = shown.lang;
    document.title = shown.querySelector("h1").textContent;
  };
  name();
  if (!button) return;
  button.addEventListener("click", function () {
    parts.forEach(function (part) { part.hidden = !part.hidden; });
    const chinese = parts[0].hidden;
    button.textContent = chinese ? "中文" : "English";
    button.lang = chinese ? "zh-CN" : "en";
    name();
  });
})();
</script>"""
