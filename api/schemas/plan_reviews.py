"""Shapes of what is decided about a plan: reviews, comparisons, and the edition it becomes."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from api.dependencies import with_zone
from api.schemas.editions import BreachOut
from api.schemas.incidents import Text
from api.settings import ServerSettings
from grids.plans.comparison import Comparison, Flow, Line, Load
from grids.plans.models import PlanStep


class ReviewIn(BaseModel):
    """What the reviewer says."""

    model_config = ConfigDict(extra="forbid")

    note: Text = Field(default="", max_length=2000)


class ReturnIn(BaseModel):
    """Why a plan goes back to the table."""

    model_config = ConfigDict(extra="forbid")

    note: Text = Field(min_length=1, max_length=2000)


class ReviewStepOut(BaseModel):
    """A submission, an approval or a return."""

    at: datetime
    author: str
    kind: str
    note: str

    @classmethod
    def of(cls, step: PlanStep) -> Self:
        """From the row."""
        return cls(at=step.at, author=step.author, kind=step.kind, note=step.note)


class ReviewsOut(BaseModel):
    """What reviewers said, the newest first."""

    state: str
    steps: list[ReviewStepOut]


class PublishIn(BaseModel):
    """From when on; now when left out."""

    model_config = ConfigDict(extra="forbid")

    effective: datetime | None = Field(
        default=None, description="Without a zone: local to the installation"
    )

    def moment(self, settings: ServerSettings) -> datetime | None:
        """From when on, with its zone."""
        return None if self.effective is None else with_zone(self.effective, settings)


class TaskOut(BaseModel):
    """Something that a person has to decide."""

    kind: Literal["nobody", "grid_gone"]
    code: str
    unit_code: str
    households: int
    name: str | None


class PublishedOut(BaseModel):
    """What a change-over did."""

    edition: int
    valid_from: datetime
    replaced: list[int]
    grids: int
    kept: int = Field(description="Grids whose identity, and people, go on")
    incidents: int = Field(description="Open incidents that another grid or person answers for now")
    unnested: list[BreachOut] = Field(
        description="Micro grids in force that no longer nest in these base grids: they stay as "
        "they are until they are redrawn"
    )
    to_do: list[TaskOut]


class LoadOut(BaseModel):
    """How evenly the work is shared."""

    grids: int
    households: int
    within_tolerance: float
    mean_deviation: float
    spread: float
    fewest: int
    most: int

    @classmethod
    def of(cls, load: Load) -> Self:
        """From the figures."""
        return cls(**{name: getattr(load, name) for name in cls.model_fields})


class FlowOut(BaseModel):
    """What goes from one grid to another."""

    from_code: str | None
    to_code: str | None
    households: int
    buildings: int
    incidents: int | None
    cameras: int | None
    worker_before: str | None
    worker_after: str | None
    places: int = Field(description="Key places: schools, police rooms, markets...")

    @classmethod
    def of(cls, flow: Flow) -> Self:
        """From the figures."""
        return cls(**{name: getattr(flow, name) for name in cls.model_fields})


class LineOut(BaseModel):
    """What becomes of a grid."""

    code: str
    kind: Literal["kept", "split", "merged", "new", "gone"]
    codes: list[str]

    @classmethod
    def of(cls, line: Line) -> Self:
        """From the figures."""
        return cls(code=line.code, kind=line.kind, codes=list(line.codes))


class ComparisonOut(BaseModel):
    """Two editions side by side. Incidents and cameras are null for who may not see them."""

    first: int
    second: int
    area_code: str = Field(description="Area that both divide; nothing else is compared")
    before: LoadOut
    after: LoadOut
    households_moved: int
    buildings_moved: int
    incidents_moved: int | None
    cameras_moved: int | None
    places_moved: int
    workers_concerned: int
    flows: list[FlowOut]
    lineage: list[LineOut]

    @classmethod
    def of(cls, found: Comparison) -> Self:
        """From what was found."""
        return cls(
            first=found.first, second=found.second, area_code=found.area_code,
            before=LoadOut.of(found.loads[0]), after=LoadOut.of(found.loads[1]),
            households_moved=found.households_moved, buildings_moved=found.buildings_moved,
            incidents_moved=found.incidents_moved, cameras_moved=found.cameras_moved,
            places_moved=found.places_moved, workers_concerned=found.workers_concerned,
            flows=[FlowOut.of(each) for each in found.flows],
            lineage=[LineOut.of(each) for each in found.lineage],
        )  # fmt: skip
