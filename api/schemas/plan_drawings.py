"""Shapes of a drawing: what is asked of it, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal, Self

import geopandas as gpd
import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.schemas.incidents import Text
from api.schemas.plans import Lat, Lon, PlanOut
from gis.errors import Problem
from grids.planning import Wishes
from grids.redistricting.rules import CURVE, KEEP

Grids = Annotated[int | None, Field(ge=1, le=100_000)]
Weight = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
MOST_SECONDS = 120
MOST_ROWS = 25_000
"""Pins, or camps, of one drawing; more would not fit into the body of a request."""
ROW_FIELDS = {"building_id": "building", "external_id": "external_id", "code": "grid"}
"""Fields of a pin or camp by the planner's columns."""


class BuildingIn(BaseModel):
    """A building of the area: by its number, or by its id in the source it was imported from."""

    model_config = ConfigDict(extra="forbid")

    building: int | None = Field(default=None, ge=1, le=2**53)
    external_id: Text | None = Field(default=None, min_length=1, max_length=200)

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        if (self.building is None) == (self.external_id is None):
            msg = "give either building or external_id"
            raise ValueError(msg)
        return self


class PinIn(BuildingIn):
    """A building that is to lie in a grid of the edition before."""

    grid: Text = Field(
        min_length=1, max_length=40, description="Code of the grid in the edition before"
    )


class CampIn(BuildingIn):
    """Where the households of a building live part of the year; they are counted at home."""

    lon: Lon
    lat: Lat
    season: Text | None = Field(
        default=None, min_length=1, max_length=40, description="Where there are several: summer"
    )


class DrawIn(BaseModel):
    """A plan to draw of an area, as ``wangge plan draw --unit`` does."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"area": "990121", "effort": "quick"}},
    )

    area: str = Field(pattern=r"^\d{2,12}$", description="Code of the unit")
    title: Text = Field(default="", max_length=200)
    target: float | None = Field(
        default=None, ge=1, le=100_000, description="Households a grid; by area type when left out"
    )
    tolerance: float | None = Field(default=None, ge=0, le=0.99, description="0.1 is 10 %")
    seed: int = Field(default=1, ge=0, le=2**31 - 1)
    before: int | None = Field(
        default=None,
        ge=1,
        le=2**53,
        description="Edition to change as little as possible; what is locked in it stays",
    )
    keep: Weight = Field(default=KEEP, description="Price of a household that changes its grid")
    curve: bool = Field(
        default=False,
        description="Also what less change would cost, all else as asked: six more "
        "searches on the same cells, on 30,000 buildings a third more time",
    )
    count: Grids = Field(default=None, description="Exactly so many grids")
    minimum: Grids = None
    maximum: Grids = None
    second: Literal["incidents", "places", "area_m2"] | None = Field(
        default=None,
        description="Balanced after the households: incidents of the last year, key places, or "
        "the ground of the grids",
    )
    second_weight: Weight = 1.0
    prices: Literal["urban", "micro", "rural", "pastoral"] | None = Field(
        default=None, description="By the area type of the units when left out"
    )
    effort: (
        Literal["quick", "normal", "thorough"] | Annotated[float, Field(gt=0, le=MOST_SECONDS)]
    ) = Field(default="normal", description="Or seconds; the plan then depends on the machine")
    compactness_floor: float = Field(default=0, ge=0, lt=1, description="Lowest Polsby-Popper")
    walk_m: float | None = Field(
        default=None, gt=0, le=1e6, description="Longest way on foot across a grid, metres"
    )
    travel_min: float | None = Field(
        default=None, gt=0, le=1e5, description="Longest time between two households, minutes"
    )
    pinned: list[PinIn] = Field(
        default=[], max_length=MOST_ROWS, description="Buildings held in a grid of the one before"
    )
    camps: list[CampIn] = Field(
        default=[], max_length=MOST_ROWS, description="Where herders live part of the year"
    )

    @model_validator(mode="after")
    def _of_a_plan_before(self) -> Self:
        if self.curve and self.before is None:
            raise ValueError("a curve compares with an older plan: give before as well")
        longest = MOST_SECONDS // (len(CURVE) + 1)
        if self.curve and isinstance(self.effort, float) and self.effort > longest:
            raise ValueError(
                f"a curve tries {len(CURVE)} more prices in that time each: give an effort of at "
                f"most {longest} seconds"
            )
        return self

    def pins(self) -> pd.DataFrame | None:
        """The pins as the planner takes them."""
        return self._rows(self.pinned) if self.pinned else None

    def camp_points(self) -> gpd.GeoDataFrame | None:
        """The camps as the planner takes them, EPSG:4326."""
        if not self.camps:
            return None
        places = gpd.points_from_xy([c.lon for c in self.camps], [c.lat for c in self.camps])
        return gpd.GeoDataFrame(self._rows(self.camps), geometry=places, crs=4326)

    @staticmethod
    def _rows(given: Sequence[BuildingIn]) -> pd.DataFrame:
        table = pd.DataFrame([each.model_dump() for each in given], dtype=object)
        return table.rename(columns={"building": "building_id", "grid": "code"})

    @staticmethod
    def placed(problem: Problem) -> Problem:
        """A problem of the planner's layers by the field of the request it is of."""
        if problem.source not in {"pinned", "camps"}:
            return problem
        row = [] if problem.row is None else [str(problem.row - 1)]
        name = [] if problem.field is None else [ROW_FIELDS.get(problem.field, problem.field)]
        return replace(
            problem, source=None, row=None, field=".".join([problem.source, *row, *name])
        )

    def wishes(self) -> Wishes:
        """What else is asked, as the planner takes it."""
        return Wishes(
            prices=self.prices,
            effort=self.effort,
            keep=self.keep,
            keeps=CURVE if self.curve else (),
            count=self.count,
            minimum=self.minimum,
            maximum=self.maximum,
            second=self.second,
            second_weight=self.second_weight,
            compactness_floor=self.compactness_floor,
            walk_m=np.inf if self.walk_m is None else self.walk_m,
            travel_min=np.inf if self.travel_min is None else self.travel_min,
        )


class FindingOut(BaseModel):
    """A broken rule, or a thing that shaped the plan."""

    rule: str
    place: str = Field(description="Code of a grid or unit, or number of a building")
    text: str
    text_zh: str
    lon: float | None
    lat: float | None


class FateOut(BaseModel):
    """What became of a grid of the edition before, or where a new one comes from."""

    code: str
    fate: Literal["kept", "split", "merged", "gone", "new"]
    successors: list[str]
    predecessors: list[str]
    households: int
    moved: int = Field(description="Households of it that have another grid now")


class CurvePointOut(BaseModel):
    """What a price of households moved brings, and what it costs."""

    keep: float = Field(description="The price of each household that changes its grid")
    grids: int
    within: float = Field(description="Share of grids within tolerance")
    moved: int = Field(description="Households whose grid has another code")
    moved_share: float
    drawn: bool = Field(description="True of the price that the plan was drawn at")


class DrawnOut(BaseModel):
    """The plan that was drawn, which is a draft under work now."""

    plan: PlanOut
    households_moved: int | None = Field(description="Null without an edition before")
    households_with_camp: int | None = Field(description="In the area; null without camps")
    households_apart: int | None = Field(description="Of them, whose camp lies in another grid")
    lineage: list[FateOut]
    curve: list[CurvePointOut] | None = Field(description="By price; null when it was not asked")
    findings: list[FindingOut] = Field(description="By rule, the worst first")
