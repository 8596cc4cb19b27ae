"""The density along streets as one web page that opens without a network."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import folium
from branca.element import Element

from gis.crs import transformer
from maps import heatmap_text as text
from maps.folium_controls import View, view_buttons
from maps.folium_map import SCRIPT, STYLE, figure_of, inline_leaflet, rounded_geojson
from maps.network import words
from maps.network.layer import bulk, classes, colours, width
from maps.output import replacing
from maps.palettes import labels, nice_breaks, number
from maps.print_map import INSIDE

if TYPE_CHECKING:
    from maps.heatmap_text import Language
    from maps.network.density import NetworkDensity
    from maps.smoothing import Bbox

_GROUND: Final = f".leaflet-container {{ background: {INSIDE}; }}"


def write_html(density: NetworkDensity, path: Path | str) -> None:
    """Write the map as one HTML file in Chinese and English; no request leaves it.

    Raises
    ------
    BadInput
        A folder that does not exist.
    """
    breaks = nice_breaks(density.maximum)
    page = folium.Map(
        tiles=None, prefer_canvas=True, zoom_control="topright", attribution_control=False,
        min_zoom=3, max_zoom=19, zoom_snap=0.25,
    )  # fmt: skip
    # Set on this map, not on the class: other users of folium in the process keep their own.
    page.default_js, page.default_css = [], []
    inline_leaflet(page)
    inks = colours(breaks)
    frame = classes(density, breaks).to_crs(4326)
    folium.GeoJson(
        rounded_geojson(frame),
        name="density",
        style_function=lambda feature: {
            "color": inks[feature["properties"]["number"]],
            "weight": 1.4 * width(feature["properties"]["number"]),
        },
        interactive=False,
    ).add_to(page)
    west, south, east, north = (float(value) for value in frame.total_bounds)
    View({"bulk": _degrees(density, bulk(density)), "whole": (west, south, east, north)}).add_to(
        page
    )
    parts = "".join(
        f'<div class="wangge-part" lang="{"zh-CN" if language == "zh" else "en"}"'
        f"{'' if language == 'zh' else ' hidden'}>{_part(density, breaks, language)}</div>"
        for language in text.LANGUAGES
    )
    root = figure_of(page)
    root.html.add_child(
        Element(
            f"<style>{STYLE}{_GROUND}</style><aside id='wangge-panel'><button type='button' "
            f"id='wangge-language' lang='en'>English</button>{parts}</aside>{SCRIPT}"
        )
    )
    rendered = root.render()
    with replacing(path) as temporary:
        temporary.write_text(rendered, encoding="utf-8")


def _degrees(density: NetworkDensity, box: Bbox | None) -> Bbox | None:
    if box is None:
        return None
    west, south, east, north = transformer(density.crs, "EPSG:4326").transform_bounds(*box)
    return west, south, east, north


def _part(density: NetworkDensity, breaks: list[float], language: Language) -> str:
    below = f"{text.word('below', language)} {number(breaks[0])}" if breaks else "0"
    rows = list(enumerate(zip(colours(breaks), [below, *labels(breaks)], strict=True)))
    legend = "".join(
        f'<li><b style="border-top:{2 * width(each):.1f}px solid {colour}"></b>'
        f"{html.escape(label)}</li>"
        for each, (colour, label) in rows[::-1]
    )
    made = density.made_on.astimezone(ZoneInfo(density.timezone))
    facts = [
        *words.facts(density, language),
        (text.word("source", language), density.source),
        (text.word("crs", language), text.crs_name(density)),
        (text.word("made", language), f"{made:%Y-%m-%d}"),
        (text.word("made_by", language), text.MADE_BY),
    ]
    table = "".join(f"<dt>{key}</dt><dd>{html.escape(said)}</dd>" for key, said in facts if said)
    sentences = "".join(f"<p>{html.escape(said)}</p>" for said in words.notes(density, language))
    subtitle = " · ".join(text.subtitle(density, language))
    return (
        f"<h1>{html.escape(words.heading(density, language))}</h1>"
        f"<p class='sub'>{html.escape(subtitle)}</p>"
        f"{view_buttons(language) if bulk(density) else ''}"
        f"<h2>{html.escape(words.word('unit', language))}</h2><ul>{legend}</ul>"
        f"<dl>{table}</dl>{sentences}"
    )
