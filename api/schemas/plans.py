"""Shapes of plans, moves and what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, Self

from geoalchemy2.shape import to_shape
from pydantic import BaseModel, ConfigDict, Field, model_validator
from shapely.geometry import LineString, Point, Polygon

from api.schemas.accounts import Names
from api.schemas.incidents import Text
from boundaries.models import Edition
from grids.plans.changes import COMPACTNESS_UNIT, DEVIATION_UNIT, Done, tolerance_of
from grids.plans.models import PlanComment, PlanMove, PlanRow, SavePoint

Lon = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Lat = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Position = tuple[Lon, Lat]
GridId = Annotated[int, Field(ge=1, le=2**53)]
CellId = Annotated[int, Field(ge=0, le=2**31 - 1)]
Version = Annotated[
    int,
    Field(
        ge=0,
        le=2**31 - 1,
        description="Of the plan that was looked at; 409 when these grids were changed since",
    ),
]
NO_NAMES: Final[Mapping[str, Names]] = MappingProxyType({})
MAX_CELLS, MAX_GRIDS, MAX_POINTS = 20_000, 500, 2000


class PlanFigures(BaseModel):
    """The whole plan in figures, kept up with every move."""

    grids: int
    households: int
    unassigned: int = Field(description="Cells that no grid has")
    within_tolerance: float | None = Field(description="Share of grids; null without any")
    mean_deviation: float | None = Field(description="Of households from the target, as a share")
    mean_compactness: float | None = Field(description="Polsby-Popper: 1 is a circle")


class PlanOut(BaseModel):
    """A plan, which has the number of its edition."""

    id: int
    title: str
    area_code: str
    area_name: Names | None = Field(default=None, description="null: no unit has this code now")
    state: Literal["open", "submitted", "approved", "published"]
    based_on: int | None = Field(description="Edition that it is a branch of")
    author: str
    created_at: datetime
    version: int
    head: int = Field(description="The last move that holds; 0: as it began")
    tolerance: float | None = Field(
        description="Largest deviation that passes, a share; null: the norm of the area type"
    )
    figures: PlanFigures

    @classmethod
    def of(cls, plan: PlanRow, edition: Edition, *, names: Mapping[str, Names] = NO_NAMES) -> Self:
        """From the rows, and the names of units by their codes."""
        return cls.model_validate(
            {
                "id": plan.edition_id,
                "title": edition.title,
                "area_code": plan.area_code,
                "area_name": names.get(plan.area_code),
                "state": plan.state if edition.status == "draft" else "published",
                "based_on": edition.based_on_id,
                "author": edition.author,
                "created_at": plan.created_at,
                "version": plan.version,
                "head": plan.head,
                "tolerance": plan.tolerance,
                "figures": figures_of(plan),
            }
        )


def figures_of(plan: PlanRow) -> PlanFigures:
    """The figures of a plan's row."""
    count = plan.grids
    return PlanFigures(
        grids=count,
        households=plan.households,
        unassigned=plan.unassigned,
        within_tolerance=plan.within_tolerance / count if count else None,
        mean_deviation=plan.deviation_sum / DEVIATION_UNIT / count if count else None,
        mean_compactness=plan.compactness_sum / COMPACTNESS_UNIT / count if count else None,
    )


class PlansOut(BaseModel):
    """Plans, the newest first."""

    plans: list[PlanOut]


class BranchIn(BaseModel):
    """A plan to open: of a draft, or as a branch of an edition."""

    model_config = ConfigDict(extra="forbid")

    edition: int = Field(ge=1, le=2**53, description="Draft, or edition to make a branch of")
    branch: bool = Field(default=True, description="false: the draft itself is worked on")
    title: Text = Field(default="", max_length=200)
    part: int | None = Field(
        default=None,
        ge=1,
        le=2**53,
        description="With a branch: draft of a township or village within the edition, whose grids "
        "take the place of those there; the rest stays as it is",
    )

    @model_validator(mode="after")
    def _of_a_branch(self) -> Self:
        if self.part is not None and not self.branch:
            raise ValueError("part goes with branch: true")
        return self


class PlanGridOut(BaseModel):
    """A grid of a plan."""

    id: int
    code: str
    name: str
    unit_code: str
    households: int
    buildings: int
    target: int
    deviation: float
    in_tolerance: bool
    compactness: float
    area_m2: float
    locked_by: str | None = None


class StepOut(BaseModel):
    """What a step did."""

    version: int
    head: int
    move: int | None = Field(description="Number of the move that was made or taken back")
    figures: PlanFigures
    grids: list[PlanGridOut] = Field(description="The grids it touched, as they are now")
    gone: list[str] = Field(description="Codes of grids that are no more")
    apart: list[str] = Field(
        default=[],
        description="Codes of grids that the move left with households on both sides of what "
        "cannot be crossed on foot",
    )
    left_out: int = Field(
        default=0,
        description="Cells in the polygon of a border that stay, being of other units than its "
        "grid's",
    )

    @classmethod
    def of(cls, done: Done) -> Self:
        """From what was done."""
        return cls(
            version=done.plan.version,
            head=done.plan.head,
            move=done.seq,
            figures=figures_of(done.plan),
            grids=[grid_of(row, done.plan) for row in done.touched],
            gone=list(done.gone),
            apart=list(done.apart),
            left_out=done.left_out,
        )


def grid_of(row: Any, plan: PlanRow, locked_by: str | None = None) -> PlanGridOut:
    """A grid's row with what it comes to."""
    share = row["households"] / row["target"] - 1
    return PlanGridOut(
        id=row["grid_id"],
        code=row["code"],
        name=row["name"],
        unit_code=row["unit_code"],
        households=row["households"],
        buildings=row["buildings"],
        target=row["target"],
        deviation=share,
        in_tolerance=abs(share) <= tolerance_of(plan, row["area_type"]) + 1e-9,
        compactness=row["compactness"],
        area_m2=row["area_m2"],
        locked_by=locked_by,
    )


class PlanGridsOut(BaseModel):
    """Grids of a plan by code; ``next`` asks for those after them."""

    version: int
    items: list[PlanGridOut]
    next: str | None


class MoveIn(BaseModel):
    """What to do.

    ``move`` takes ``cells`` to the grid ``to``, ``release`` to none, ``assign`` each of them to
    the one beside it in ``places``; ``split`` divides ``grid``
    into ``parts`` or along ``line``; ``merge`` makes ``grids`` one; ``border`` gives what lies in
    ``polygon`` to the grid ``to``, or makes it a new one; ``rebalance`` divides ``grids`` anew
    into as many; ``repair`` gives ground without a grid, and parts cut off on foot, to a neighbour.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"kind": "repair", "version": 0}},
    )

    kind: Literal["move", "release", "assign", "split", "merge", "border", "rebalance", "repair"]
    version: Version
    cells: list[CellId] | None = Field(default=None, min_length=1, max_length=MAX_CELLS)
    places: list[GridId | None] | None = Field(
        default=None, max_length=MAX_CELLS, description="Grid of each of the cells; null for none"
    )
    take_along: bool = Field(default=False, description="Also what the cells would cut off")
    to: GridId | None = None
    grid: GridId | None = None
    parts: int | None = Field(default=None, ge=2, le=20)
    line: list[Position] | None = Field(default=None, min_length=2, max_length=MAX_POINTS)
    grids: list[GridId] | None = Field(default=None, min_length=1, max_length=MAX_GRIDS)
    polygon: list[Position] | None = Field(
        default=None, min_length=3, max_length=MAX_POINTS, description="Its outline, WGS 84"
    )

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        needs = {
            "move": ("cells", "to"), "release": ("cells",), "assign": ("cells", "places"),
            "split": ("grid",), "merge": ("grids",), "border": ("polygon",),
            "rebalance": ("grids",), "repair": (),
        }[self.kind]  # fmt: skip
        lacking = [name for name in needs if getattr(self, name) is None]
        if lacking:
            raise ValueError(f"'{self.kind}' needs {' and '.join(lacking)}")
        if self.kind == "split" and (self.parts is None) == (self.line is None):
            raise ValueError("'split' needs parts or line, one of them")
        if self.kind == "assign" and len(set(self.cells or ())) != len(self.places or ()):
            raise ValueError("'assign' needs a place for each cell, and each cell once")
        allowed = {*needs, *{"move": ("take_along",), "release": ("take_along",),
                             "split": ("parts", "line"), "border": ("to",),
                             "repair": ("grids",)}.get(self.kind, ())}  # fmt: skip
        given = {
            name for name in self.model_fields_set if getattr(self, name) is not None
        } - {"kind", "version"}  # fmt: skip
        if given - allowed:
            raise ValueError(f"'{self.kind}' takes no {', '.join(sorted(given - allowed))}")
        return self

    def line_drawn(self) -> LineString:
        """The line, as a shape."""
        return LineString(self.line or [])

    def polygon_drawn(self) -> Polygon:
        """The polygon, as a shape."""
        return Polygon(self.polygon or [])


class StepIn(BaseModel):
    """A step back or forth."""

    model_config = ConfigDict(extra="forbid")

    version: Version


class GoToIn(StepIn):
    """Where to go in the history: a move, 0 for the beginning, or the name of a save point."""

    move: int | None = Field(default=None, ge=0, le=2**31 - 1)
    save_point: Text | None = Field(default=None, max_length=100)

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.move is None) == (self.save_point is None):
            raise ValueError("give move or save_point, one of them")
        return self


class LocksIn(BaseModel):
    """Grids to lock or unlock; all of the plan for null."""

    model_config = ConfigDict(extra="forbid")

    grids: list[GridId] | None = Field(default=None, min_length=1, max_length=MAX_GRIDS)


class LocksOut(BaseModel):
    """Grids that were locked, or unlocked, by it."""

    version: int
    grids: list[int]


class MoveOut(BaseModel):
    """A move of the history."""

    seq: int
    parent: int
    at: datetime
    author: str
    kind: str
    detail: dict[str, Any]
    cells: int = Field(description="How many went elsewhere")
    holds: bool = Field(description="false: it was taken back")

    @classmethod
    def of(cls, move: PlanMove, line: set[int]) -> Self:
        """From the row."""
        return cls(
            seq=move.seq, parent=move.parent, at=move.at, author=move.author, kind=move.kind,
            detail=move.detail, cells=len(move.cells), holds=move.seq in line,
        )  # fmt: skip


class MovesOut(BaseModel):
    """Moves, the newest first."""

    items: list[MoveOut]
    next: int | None = Field(description="`before` of the next page; null on the last one")


class CommentIn(BaseModel):
    """Words about a plan."""

    model_config = ConfigDict(extra="forbid")

    words: Text = Field(min_length=1, max_length=2000)
    lon: Lon | None = None
    lat: Lat | None = None

    @model_validator(mode="after")
    def _place_is_whole(self) -> Self:
        if (self.lon is None) != (self.lat is None):
            raise ValueError("lon and lat come together")
        return self


class CommentOut(BaseModel):
    """A comment, and where it is pinned."""

    id: int
    at: datetime
    author: str
    words: str
    lon: float | None
    lat: float | None
    closed_at: datetime | None
    closed_by: str | None

    @classmethod
    def of(cls, comment: PlanComment) -> Self:
        """From the row."""
        place = to_shape(comment.geom) if comment.geom is not None else None
        assert place is None or isinstance(place, Point)
        return cls(
            id=comment.id, at=comment.at, author=comment.author, words=comment.words,
            lon=place.x if place else None, lat=place.y if place else None,
            closed_at=comment.closed_at, closed_by=comment.closed_by,
        )  # fmt: skip


class CommentsOut(BaseModel):
    """Comments, open ones first."""

    comments: list[CommentOut]


class SavePointIn(BaseModel):
    """A name for the plan as it is."""

    model_config = ConfigDict(extra="forbid")

    name: Text = Field(min_length=1, max_length=100)


class SavePointOut(BaseModel):
    """A name, and the move after which the plan was so."""

    name: str
    move: int
    at: datetime
    author: str

    @classmethod
    def of(cls, point: SavePoint) -> Self:
        """From the row."""
        return cls(name=point.name, move=point.seq, at=point.at, author=point.author)


class SavePointsOut(BaseModel):
    """Names, the newest first."""

    save_points: list[SavePointOut]
