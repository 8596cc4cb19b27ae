"""Hot spots, this week's attention list and its back-test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse

from api.auth import Access, needs
from api.dependencies import PeriodIn, SettingsIn
from api.kept_maps import in_force, today
from api.schemas.hotspots import (
    AttentionOut,
    BackTestOut,
    Both,
    ClusterOut,
    GridFinding,
    HotSpotsOut,
    LegendEntry,
    Listing,
    PairsOut,
    PlaceAgain,
    ShareTested,
    WayTested,
)
from grids.incidents.repository import Filter
from maps.hotspots import texts
from maps.hotspots.backtest import METHODS
from maps.hotspots.findings import NO_GRIDS, Class, Findings, Way
from maps.hotspots.layer import (
    CLASSES,
    COLOURS,
    LIST_CLASSES,
    STATISTICS,
    WAYS,
    findings_layer,
    list_layer,
    places_table,
    records,
)
from maps.hotspots.looks import enter_repeats
from maps.hotspots.page import STYLE_HASH, html, page_of
from maps.hotspots.service import (
    MOST_LISTED,
    WEEKS_JUDGED,
    Listed,
    Tested,
    attention_list,
    back_test,
    hot_spots,
)
from maps.hotspots.sharing import refuse_shared
from maps.hotspots.study import Asked
from maps.service import MapCache

if TYPE_CHECKING:
    import geopandas as gpd

    from maps.hotspots.texts import Said

Made = TypeVar("Made")

router = APIRouter(tags=["hot spots"])
GEOJSON = "application/geo+json"
PAGE_POLICY = f"default-src 'none'; style-src '{STYLE_HASH}'; frame-ancestors 'none'"

Reading = Annotated[Access, needs("heatmaps.read", heavy=True)]
Category = Annotated[
    list[str] | None,
    Query(description="May be repeated; all when left out", examples=[["neighbour"]]),
]
Unit = Annotated[
    str | None,
    Query(
        pattern="^([0-9]{2}|[0-9]{4}|[0-9]{6}|[0-9]{9}|[0-9]{12})$",
        description="Code of a unit; all that the caller sees when left out",
        examples=["990121101001"],
    ),
]
Method = Annotated[Way, Query(description="Way of looking", examples=["hot_grids"])]
Level = Annotated[
    float, Query(gt=0, le=0.5, description="Highest share of quiet maps with any false alarm")
]
Weekly = Annotated[bool, Query(description="With scan: circles and weeks up to the last")]
Shared = Annotated[
    bool,
    Query(description="Refused when true: hot spots do not leave the case team, grid maps do"),
]
Week = Annotated[
    date | None, Query(description="Any day of the week; the present one when left out")
]
Share = Annotated[float, Query(gt=0, le=1, description="Of the area that the list may cover")]
Most = Annotated[int, Query(ge=1, le=1000, description="Grids listed at most")]
Weeks = Annotated[int, Query(ge=1, le=104, description="Weeks judged")]
NO_UNIT: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such unit"}}
AS_GEOJSON: dict[int | str, dict[str, Any]] = NO_UNIT | {200: {"content": {GEOJSON: {}}}}


@dataclass(frozen=True, slots=True)
class _Question:
    """Who asks, what about, and where answers are kept."""

    access: Access
    asked: Asked
    kept: MapCache
    today: str

    def answer(self, asked: Asked, make: Callable[[], Made], *how: object) -> Made:
        """What is kept of a question and a way to answer it, else what ``make`` gives."""
        session = self.access.session
        return self.kept.get(
            self.kept.key(session, asked, how, in_force(session), self.today), make
        )


def _question(
    request: Request,
    access: Reading,
    settings: SettingsIn,
    category: Category = None,
    unit: Unit = None,
    *,
    shared: Shared = False,
) -> _Question:
    # Windows and reasons tell small counts: nobody else's form of them hides enough.
    access.caller.require("incidents.read")
    if shared:
        refuse_shared()
    wanted = Filter(categories=tuple(category or ()), scope=access.caller.scope)
    asked = Asked(wanted=wanted, unit=unit, timezone=settings.timezone)
    return _Question(access, asked, request.app.state.hot_spots, today(settings))


QuestionIn = Annotated[_Question, Depends(_question)]


def _found(
    question: QuestionIn,
    period: PeriodIn,
    method: Method = Way.HOT_GRIDS,
    level: Level = 0.05,
    *,
    weekly: Weekly = False,
) -> Findings:
    wanted = replace(question.asked.wanted, start=period[0], end=period[1])
    session, asked = question.access.session, replace(question.asked, wanted=wanted)
    found = question.answer(
        asked,
        lambda: hot_spots(session, asked, method, level=level, weekly=weekly),
        "found",
        method,
        level,
        weekly,
    )
    enter_repeats(session, found, wanted.categories)
    return found


def _listed(
    question: QuestionIn, week: Week = None, share: Share = 0.05, most: Most = MOST_LISTED
) -> Listed:
    session, asked = question.access.session, question.asked
    return question.answer(
        asked,
        lambda: attention_list(session, asked, week=week, share=share, most=most),
        "listed",
        week,
        share,
        most,
    )


def _tested(question: QuestionIn, week: Week = None, weeks: Weeks = WEEKS_JUDGED) -> Tested:
    session, asked = question.access.session, question.asked
    return question.answer(
        asked,
        lambda: back_test(session, asked, week=week, weeks=weeks),
        "tested",
        week,
        weeks,
    )


FindingsIn = Annotated[Findings, Depends(_found)]
ListedIn = Annotated[Listed, Depends(_listed)]
TestedIn = Annotated[Tested, Depends(_tested)]


@router.get("/api/v1/hotspots", summary="Hot spots of a period", responses=NO_UNIT)
def hotspots(found: FindingsIn) -> HotSpotsOut:
    """Where there were more incidents than chance explains, by when they happened.

    On the grids in force at the end of the period; what was reported in another edition is counted
    where its point lies, and `notes` says so. Without a period: the 12 weeks up to the last report.
    """
    study, method = found.study, found.way
    has_grids = method not in NO_GRIDS
    number = Counter(found.classes) if has_grids else Counter()
    return HotSpotsOut(
        method=method,
        title=_both(WAYS[method]),
        statistic=_both(STATISTICS[method]) if method in STATISTICS else None,
        place=_both(study.place),
        category=_both(study.category),
        start=study.start,
        end=study.end,
        level=found.level,
        n=found.total,
        n_outside=study.outside,
        n_without_place=study.events.without_place,
        legend=[
            LegendEntry(
                key=each.value, text=_both(CLASSES[each]), color=COLOURS[each], count=number[each]
            )
            for each in Class
            if number[each]
        ],
        grids=[GridFinding.model_validate(row) for row in records(findings_layer(found))]
        if has_grids
        else [],
        clusters=_clusters(found),
        pairs=_pairs(found),
        places=None
        if found.places is None
        else [PlaceAgain(**row) for row in places_table(found).to_dict("records")],
        notes=[_both(each) for each in found.notes],
    )


@router.get(
    "/api/v1/hotspots.geojson",
    summary="Hot spots of a period as a layer",
    response_class=Response,
    responses=AS_GEOJSON,
)
def hotspots_layer(found: FindingsIn) -> Response:
    """The same grids with their shapes, for QGIS and other programs; places for repeat addresses.

    QGIS: Layer, Add Layer, Add Vector Layer, protocol HTTP(S), with an API key in the header.
    """
    return _geojson(findings_layer(found))


@router.get("/api/v1/attention", summary="Where to look first this week", responses=NO_UNIT)
def attention(listed: ListedIn) -> AttentionOut:
    """Grids with most incidents to be expected per area, each with its reason and an interval.

    From what had been reported before the week began, at least 12 whole weeks.
    """
    forecast = listed.attention
    rows = records(list_layer(listed))
    number = Counter(row["class"] for row in rows)
    return AttentionOut(
        week=listed.week,
        place=_both(listed.study.place),
        category=_both(listed.study.category),
        expected=float(forecast.expected.sum()),
        confidence=forecast.confidence,
        share=listed.share,
        weeks=listed.study.weeks,
        weights={part.value: weight for part, weight in forecast.weights.items()},
        legend=[
            LegendEntry(key=key, text=_both(said), color=colour, count=number[key])
            for key, (said, colour) in LIST_CLASSES.items()
        ],
        grids=[
            Listing.model_validate(row | {"text": Both(zh=row["reason_zh"], en=row["reason_en"])})
            for row in sorted((r for r in rows if r["rank"]), key=lambda r: int(r["rank"]))
        ],
        notes=[_both(each) for each in listed.study.notes],
    )


@router.get(
    "/api/v1/attention.geojson",
    summary="The attention list as a layer",
    response_class=Response,
    responses=AS_GEOJSON,
)
def attention_layer(listed: ListedIn) -> Response:
    """Every grid with its shape and the incidents to be expected; rank and reason where listed."""
    return _geojson(list_layer(listed))


@router.get(
    "/api/v1/attention/backtest", summary="How the attention lists have done", responses=NO_UNIT
)
def attention_backtest(tested: TestedIn) -> BackTestOut:
    """Each of the last whole weeks, forecast from what had been reported before it, and judged.

    Beside the naive count of all history and the count of the last four weeks.
    """
    test = tested.test
    lines = zip(texts.verdict(test, "zh"), texts.verdict(test, "en"), strict=True)
    return BackTestOut(
        place=_both(tested.study.place),
        category=_both(tested.study.category),
        verdict=Both(zh=texts.headline(test, "zh"), en=texts.headline(test, "en")),
        sentences=[Both(zh=zh, en=en) for zh, en in lines],
        weeks=list(tested.mondays),
        weeks_before=tested.weeks_before,
        events=test.events.astype(int).tolist(),
        expected=test.expected.tolist(),
        within=test.within if test.events.sum() else None,
        shares=[
            ShareTested(
                share=share,
                ways=[
                    WayTested(
                        key=way.value,
                        text=Both(zh=texts.method(way, "zh"), en=texts.method(way, "en")),
                        pai=_finite(test.pai[m, s]),
                        pei=_finite(test.pei[m, s]),
                        caught=test.caught[m, s].tolist(),
                    )
                    for m, way in enumerate(METHODS)
                ],
            )
            for s, share in enumerate(test.shares.tolist())
        ],
        notes=[_both(each) for each in tested.study.notes],
    )


@router.get(
    "/attention/backtest",
    summary="The back-test as a page",
    response_class=HTMLResponse,
    responses=NO_UNIT | {200: {"content": {"text/html": {}}}},
)
def backtest_page(
    tested: TestedIn,
    settings: SettingsIn,
    language: Annotated[str, Query(pattern="^(zh|en)$")] = "zh",
) -> HTMLResponse:
    """One page in both languages, without scripts; saved, it opens offline and prints."""
    today = datetime.now(ZoneInfo(settings.timezone)).date()
    page = html(page_of(tested, made_on=today), "en" if language == "en" else "zh")
    return HTMLResponse(page, headers={"Content-Security-Policy": PAGE_POLICY})


def _clusters(found: Findings) -> list[ClusterOut]:
    return [
        ClusterOut(
            number=number,
            centre=found.study.ground.codes[each.centre],
            radius_m=each.radius_m,
            grids=len(each.rows),
            first_week=each.first_week if found.is_weekly else None,
            last_week=each.last_week if found.is_weekly else None,
            observed=each.observed,
            expected=each.expected,
            relative_risk=_finite(each.relative_risk),
            p=each.p,
        )
        for number, each in enumerate(found.clusters, start=1)
    ]


def _pairs(found: Findings) -> PairsOut | None:
    pairs = found.pairs
    if pairs is None:
        return None
    return PairsOut(
        distances_m=pairs.distances_m.tolist(),
        days=pairs.days.tolist(),
        observed=pairs.observed.tolist(),
        expected=pairs.expected.tolist(),
        ratio=[[_finite(each) for each in row] for row in pairs.ratio.tolist()],
        p=pairs.p.tolist(),
    )


def _geojson(layer: gpd.GeoDataFrame) -> Response:
    return Response(
        layer.to_json(na="null", drop_id=True, default=str),
        media_type=GEOJSON,
        headers={"Cache-Control": "private, no-cache"},
    )


def _both(said: Said) -> Both:
    return Both(zh=said.zh, en=said.en)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
