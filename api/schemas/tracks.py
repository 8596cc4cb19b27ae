"""Tracks as GeoJSON: a feature for a patrol's exact fixes, and one for what was reduced."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from grids.patrols import tracks


class MultiPoint(BaseModel):
    """Longitude and latitude in degrees, WGS 84."""

    type: Literal["MultiPoint"] = "MultiPoint"
    coordinates: list[tuple[float, float]]


class TrackProperties(BaseModel):
    """A patrol, and the fixes or what is left of them."""

    patrol: int
    team: str | None
    state: Literal["planned", "under_way", "done", "cancelled"]
    started_at: datetime
    ended_at: datetime | None
    reduced: bool = Field(
        description="Older than tracks are kept: places to about 500 m, without moments"
    )
    reduced_at: datetime | None
    fixes: int = Field(description="How many there are, or were before they were reduced")
    first_at: datetime | None
    last_at: datetime | None
    times: list[datetime] | None = Field(description="Of each place, in order; null when reduced")
    accuracy_m: list[float | None] | None = Field(
        description="Of each place, metres; null when reduced"
    )


class TrackFeature(BaseModel):
    """A patrol's exact fixes, or what is left of those that were reduced: both, if it has both."""

    type: Literal["Feature"] = "Feature"
    geometry: MultiPoint | None
    properties: TrackProperties


class TrackPage(BaseModel):
    """Some patrols, newest first, as GeoJSON."""

    type: Literal["FeatureCollection"] = "FeatureCollection"
    features: list[TrackFeature]
    kept_days: int = Field(description="For so many days fixes are kept, then they are reduced")
    next: str | None = Field(description="`cursor` of the next page; null on the last one")

    @classmethod
    def of(
        cls, found: Sequence[tracks.Track], *, kept_days: int, following: str | None = None
    ) -> TrackPage:
        """From the tracks of a page."""
        features = [feature for track in found for feature in _features(track)]
        return cls(features=features, kept_days=kept_days, next=following)


def _features(track: tracks.Track) -> list[TrackFeature]:
    """The exact part of a track and the reduced one; without either, a patrol without a place."""
    found = []
    if track.reduced is not None:
        left = track.reduced
        found.append(
            _feature(
                track,
                list(left.places),
                reduced=True,
                reduced_at=left.reduced_at,
                fixes=left.fixes,
                first_at=left.first_at,
                last_at=left.last_at,
                times=None,
                accuracy_m=None,
            )
        )
    if track.fixes or track.reduced is None:
        fixes = track.fixes
        found.append(
            _feature(
                track,
                [(fix.lon, fix.lat) for fix in fixes],
                reduced=False,
                reduced_at=None,
                fixes=len(fixes),
                first_at=fixes[0].at if fixes else None,
                last_at=fixes[-1].at if fixes else None,
                times=[fix.at for fix in fixes],
                accuracy_m=[fix.accuracy_m for fix in fixes],
            )
        )
    return found


def _feature(
    track: tracks.Track, places: list[tuple[float, float]], **more: object
) -> TrackFeature:
    patrol = track.patrol
    of_patrol = {
        "patrol": patrol.id,
        "team": patrol.team,
        "state": patrol.state,
        "started_at": patrol.started_at,
        "ended_at": patrol.ended_at,
    }
    return TrackFeature(
        geometry=MultiPoint(coordinates=places) if places else None,
        properties=TrackProperties.model_validate(of_patrol | more),
    )
