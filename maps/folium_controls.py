"""What moves on the page of a heat map: where it opens, and which map of a series is shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from branca.element import MacroElement
from folium.template import Template

from maps import heatmap_text as text
from maps.heatmap_text import word
from maps.series import Series

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maps.heatmap_text import Language
    from maps.smoothing import Bbox


def view_buttons(language: Language) -> str:
    """Return HTML of the buttons that show the bulk and the whole, for the panel."""
    buttons = "".join(
        f'<button type="button" data-view="{view}">{word(view, language)}</button>'
        for view in ("bulk", "whole")
    )
    return f'<p class="views"><span>{word("show", language)}</span>{buttons}</p>'


class View(MacroElement):
    """Shows the map beside the panel (below it on a phone), with a metric scale bar.

    It opens on the box of the name "bulk", where most of the events are, if there is one; the
    buttons of the panel show that and the whole.
    """

    _template = Template(
        """{% macro script(this, kwargs) %}
        (function (map) {
          const views = {{ this.views }};
          const show = function (name) {
            const wide = window.innerWidth > 600;
            map.fitBounds(views[name], {
              paddingTopLeft: wide ? [316, 24] : [12, Math.round(0.45 * window.innerHeight) + 24],
              paddingBottomRight: [24, 44],
              animate: false,
            });
          };
          show("bulk" in views ? "bulk" : "whole");
          document.querySelectorAll("#wangge-panel [data-view]").forEach(function (button) {
            button.addEventListener("click", function () { show(button.dataset.view); });
          });
          L.control.scale({imperial: false, maxWidth: 160, position: "bottomright"}).addTo(map);
        })({{ this._parent.get_name() }});
        {% endmacro %}"""
    )

    def __init__(self, boxes: Mapping[str, Bbox | None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = "View"
        self.views = {
            name: [[box[1], box[0]], [box[3], box[2]]] for name, box in boxes.items() if box
        }


class Steps(MacroElement):
    """Shows one map of a series at a time: the slider's, and first the whole."""

    _template = Template(
        """{% macro script(this, kwargs) %}
        (function (map) {
          const steps = {{ this.steps }};
          const images = [];
          map.eachLayer(function (layer) {
            if (layer instanceof L.ImageOverlay) images.push(layer);
          });
          const slider = document.getElementById("wangge-slider");
          const play = document.getElementById("wangge-play");
          const shown = function () {
            const step = Number(slider.value);
            images.forEach(function (image, i) { image.setOpacity(i === step ? 1 : 0); });
            for (const language in steps[step]) {
              document.querySelectorAll(".wangge-step[data-language='" + language + "']")
                .forEach(function (line) { line.textContent = steps[step][language]; });
            }
            slider.setAttribute("aria-valuetext", Object.values(steps[step])[0]);
          };
          slider.addEventListener("input", shown);
          let timer = null;
          play.addEventListener("click", function () {
            if (timer !== null) { clearInterval(timer); timer = null; }
            else {
              timer = setInterval(function () {
                slider.value = Number(slider.value) % Number(slider.max) + 1;
                shown();
              }, 900);
            }
            play.textContent = timer === null ? "\u25b6" : "\u23f8";
          });
          shown();
        })({{ this._parent.get_name() }});
        {% endmacro %}"""
    )

    def __init__(self, series: Series) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = "Steps"
        steps = [
            {
                "zh": f"{zh}：{text.count(each, 'zh')}件".replace("件件", "件"),
                "en": f"{en}: {text.count(each, 'en')} incidents",
            }
            for each, zh, en in [
                (series.whole, word("whole_period", "zh"), word("whole_period", "en")),
                *((part.heatmap, part.zh, part.en) for part in series.parts),
            ]
        ]
        # Names come from outside: nothing in them may end the script.
        self.steps = json.dumps(steps, ensure_ascii=True).replace("<", "\\u003c")
