"""A grid map as one web page that opens without a network, made by folium."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import folium
from branca.element import Element

from gis.errors import BadInput, Problem
from maps.folium_controls import View
from maps.folium_map import SCRIPT, STYLE, PageLanguage, figure_of, inline_leaflet
from maps.folium_map import rounded_geojson as geojson
from maps.gridmaps import words
from maps.gridmaps.gridmap import GridMap, bounds
from maps.gridmaps.table import table
from maps.heatmap_text import LANGUAGES, MADE_BY, Language
from maps.output import replacing
from maps.palettes import NOT_KNOWN, NOT_KNOWN_MARK, hex_colour, number

if TYPE_CHECKING:
    import geopandas as gpd

_GROUND, _MARK = hex_colour(NOT_KNOWN), hex_colour(NOT_KNOWN_MARK)
# Patterns that the polygons are filled with, by the name of their state.
_PATTERNS: Final = f"""<svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs>
<pattern id="wangge-hidden" width="7" height="7" patternUnits="userSpaceOnUse"
 patternTransform="rotate(45)"><rect width="7" height="7" fill="{_GROUND}"/>
<rect width="2" height="7" fill="{_MARK}"/></pattern>
<pattern id="wangge-unknown" width="7" height="7" patternUnits="userSpaceOnUse">
<rect width="7" height="7" fill="{_GROUND}"/><circle cx="3.5" cy="3.5" r="1.3" fill="{_MARK}"/>
</pattern></defs></svg>"""
_SWATCHES: Final = {
    "hidden": f"repeating-linear-gradient(-45deg, {_MARK} 0 2px, {_GROUND} 2px 6px)",
    "unknown": f"radial-gradient(circle, {_MARK} 1px, {_GROUND} 1.5px) 0 0 / 6px 6px",
}


def write_page(
    made: GridMap,
    path: Path | str,
    *,
    units: gpd.GeoDataFrame | None = None,
    language: PageLanguage = "both",
) -> None:
    """Write the map as one HTML file with everything in it; no request leaves the file.

    Parameters
    ----------
    units
        Polygons with a CRS (none: WGS 84), drawn as borders.
    language
        ``"both"`` has a switch on the page and opens in Chinese.

    Raises
    ------
    BadInput
        A suffix other than .html or .htm, an unknown language, a folder that does not exist.
    """
    problems = []
    if Path(path).suffix.lower() not in {".html", ".htm"}:
        problems.append(Problem(f"{Path(path).name} is not .html", field="path"))
    if language not in {*LANGUAGES, "both"}:
        problems.append(Problem(f"language {language!r}", "Give zh, en or both.", field="language"))
    if problems:
        raise BadInput(problems)
    page = folium.Map(
        # Polygons are drawn as SVG: a canvas has no patterns.
        tiles=None, prefer_canvas=False, zoom_control="topright", attribution_control=False,
        min_zoom=3, max_zoom=19, zoom_snap=0.25,
    )  # fmt: skip
    page.default_js, page.default_css = [], []
    inline_leaflet(page)
    languages = LANGUAGES if language == "both" else (language,)
    _add_grids(page, made, languages)
    if units is not None:
        frame = (units if units.crs is not None else units.set_crs(4326)).to_crs(4326)
        folium.GeoJson(
            geojson(frame[[frame.geometry.name]]),
            style_function=lambda _: {"color": "#1d2430", "weight": 1.4, "fill": False},
            interactive=False,
        ).add_to(page)
    View({"whole": bounds(made.grids)}).add_to(page)
    root = figure_of(page)
    root.html.add_child(Element(_PATTERNS + _panel(made, languages)))
    rendered = root.render()
    with replacing(path) as temporary:
        temporary.write_text(rendered, encoding="utf-8")


def _add_grids(page: folium.Map, made: GridMap, languages: tuple[Language, ...]) -> None:
    colours = [hex_colour(colour) for colour in made.colours]
    frame = table(made)
    frame["tip"] = [_tip(made, row, languages) for row in range(len(frame))]

    def style(feature: dict[str, Any]) -> dict[str, Any]:
        told = feature["properties"]
        if told["state"] == "shown":
            fill = colours[int(told["class"])]
        else:
            fill = f"url(#wangge-{told['state']})"
        return {"color": "#8b857c", "weight": 0.6, "fillColor": fill, "fillOpacity": 1}

    folium.GeoJson(
        geojson(frame[["code", "class", "state", "tip", frame.geometry.name]]),
        style_function=style,
        highlight_function=lambda _: {"color": "#0b5cad", "weight": 2.2},
        tooltip=folium.GeoJsonTooltip(["tip"], labels=False),
    ).add_to(page)


def _tip(made: GridMap, row: int, languages: tuple[Language, ...]) -> str:
    """Markup shown at the pointer: the grid, and its number with its doubt or why it has none."""
    head = html.escape(f"{made.grids.codes[row]} {made.grids.names[row]}".strip())
    lines = [f"<b>{head}</b>"]
    for language in languages:
        if made.hidden[row]:
            text = words.word("hidden", language)
        elif made.unknown[row]:
            text = words.word("unknown", language)
        else:
            text = f"{number(float(f'{made.values[row]:.3g}'))} {words.unit(made, language)}"
            if made.measure != "count":
                low, high = (number(float(f"{each[row]:.3g}")) for each in (made.low, made.high))
                text += f" ({words.word('interval', language)} {low} – {high})"
        lines.append(html.escape(text))
    return "<br>".join(lines)


def _panel(made: GridMap, languages: tuple[Language, ...]) -> str:
    parts = "\n".join(
        f'<div class="wangge-part" lang="{"zh-CN" if language == "zh" else "en"}"'
        f"{'' if i == 0 else ' hidden'}>{_part(made, language)}</div>"
        for i, language in enumerate(languages)
    )
    switch = ""
    if len(languages) > 1:
        switch = '<button type="button" id="wangge-language" lang="en">English</button>'
    return f"<style>{STYLE}</style><aside id='wangge-panel'>{switch}{parts}</aside>{SCRIPT}"


def _part(made: GridMap, language: Language) -> str:
    escape = html.escape
    rows = [(hex_colour(colour), label) for colour, label in made.legend][::-1]
    rows += [
        (_SWATCHES[state], words.word(state, language))
        for state, where in (("hidden", made.hidden), ("unknown", made.unknown))
        if where.any()
    ]
    legend = "".join(
        f'<li><i style="background:{colour};flex:none"></i>{escape(label)}</li>'
        for colour, label in rows
    )
    day = made.made_on.astimezone(ZoneInfo(made.about.timezone))
    facts = [
        *words.facts(made, language),
        (words.word("source", language), made.about.source),
        (words.word("crs", language), "WGS 84 (EPSG:4326)"),
        (words.word("made", language), f"{day:%Y-%m-%d}"),
        (words.word("made_by", language), MADE_BY),
    ]
    told = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts if value
    )
    sentences = "".join(f"<p>{escape(each)}</p>" for each in words.notes(made, language))
    return (
        f"<h1>{escape(words.heading(made, language))}</h1>"
        f"<p class='sub'>{escape(' · '.join(words.subtitle(made, language)))}</p>"
        f"<h2>{escape(words.measure(made, language))} · {escape(words.unit(made, language))}</h2>"
        f"<ul>{legend}</ul><dl>{told}</dl>{sentences}"
    )
