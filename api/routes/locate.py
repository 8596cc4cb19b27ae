"""Which grid a place belongs to, and who answers for it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from api import arrow
from api.answers import to_arrow, to_json
from api.auth import Access, Known, needs
from api.batches import ARROW, JSON, Batch, Common, from_json
from api.dependencies import MomentIn, SettingsIn
from api.language import LanguageIn
from api.schemas.batches import REQUEST, BatchOut
from api.schemas.places import LocateOut
from gis.errors import BadInput, Problem, Unavailable
from grids.incidents.categories import check_category, check_known_category
from grids.incidents.responsibility import answer, position, told
from grids.locating import batches, cut_off
from grids.locating.batches import Answers, tell

if TYPE_CHECKING:
    from api.thin import Located

router = APIRouter(prefix="/api/v1", tags=["locate"])


@router.get("/locate", summary="Grid and responsible people of a place at a moment")
def locate(
    access: Annotated[Access, needs("grids.read")],
    at: MomentIn,
    language: LanguageIn,
    response: Response,
    lon: Annotated[float, Query(description="Longitude or easting", examples=[116.6])],
    lat: Annotated[float, Query(description="Latitude or northing", examples=[44.9])],
    crs: Annotated[
        str,
        Query(description="wgs84, cgcs2000, gcj02, bd09 or EPSG:n; easting always first"),
    ] = "wgs84",
    accuracy_m: Annotated[
        float | None,
        Query(gt=0, le=100_000, description="68 % radius of the position's error, metres"),
    ] = None,
    category: Annotated[
        str | None,
        Query(max_length=50, description="Of an incident: its departments answer too"),
    ] = None,
    explain: Annotated[
        Literal["true", "false"],
        Query(description="Also who could have been called and was not, and why"),
    ] = "false",
) -> LocateOut:
    """On a shared border the grid with the lowest code answers.

    Outside every grid, ``inside`` is false and ``nearest`` names the nearest grid and its
    distance. Outside the caller's area the reason is ``outside_area``: whether a grid is there is
    not told, and ``nearest`` is the nearest of the area's own. With ``accuracy_m`` each
    candidate's share of the probability is given, and ``ask_back`` is true where the grid that
    answers holds less than 80 % of it.
    """
    if category is not None:
        check_category(access.session, category)
    found = answer(
        access.session,
        *position(lon, lat, crs),
        at=at,
        accuracy_m=accuracy_m,
        scope=access.caller.scope,
        matter=category,
        explain=explain == "true",
    )
    response.headers["Vary"] = "Accept-Language"
    return LocateOut.of(told(access.session, found), crs, category, language=language)


async def get_body(request: Request) -> bytes:
    """The body as it came; it has been read, up to its limit, before the route was found."""
    return await request.body()


@router.post(
    "/locate",
    summary="Grids and responsible people of up to 100,000 places",
    response_class=Response,
    responses={
        200: {
            "model": BatchOut,
            "description": "In the form that Accept asks for, else in that of the request",
            "content": {ARROW: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
    openapi_extra=REQUEST,
)
def locate_many(
    request: Request,
    access: Annotated[Access | Known, needs("grids.read", heavy=True, goes_on=True)],
    body: Annotated[bytes, Depends(get_body)],
    settings: SettingsIn,
    at: Annotated[
        str | None, Query(description="ISO 8601; now when left out", max_length=100)
    ] = None,
    crs: Annotated[
        str, Query(description="wgs84, cgcs2000, gcj02, bd09 or EPSG:n; easting always first")
    ] = "wgs84",
    category: Annotated[
        str | None,
        Query(max_length=50, description="Of an incident: its departments answer too"),
    ] = None,
    people: Annotated[
        Literal["first", "all"], Query(description="The first to be called, or all")
    ] = "first",
    nearest: Annotated[
        Literal["true", "false"], Query(description="Also the nearest grid of places outside")
    ] = "false",
) -> Response:
    """The same answers as of ``GET``, in the order of the places; answered whole or not at all.

    What holds for all places stands in the address, or in a JSON body beside ``points``, which
    comes first. Every place that cannot be taken is named, the first hundred of them. Each thousand
    places count as one request. ``candidates`` and the chain of units are told by ``GET`` only.
    While the database is away, keys of the last quarter of an hour are answered as of ``as_of``;
    places in none of their grids are then ``not_told``: ask again for the reason.
    """
    common = Common(crs, at, category, people, nearest == "true")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == ARROW:
        batch = arrow.read(body, common, settings)
    elif kind in {JSON, ""}:
        batch = from_json(body, common, settings)
    else:
        raise BadInput(
            Problem(f"'{kind[:100]}' is not read here", f"Send {JSON} or {ARROW}",
                    field="Content-Type")
        )  # fmt: skip
    state, caller = request.app.state, access.caller
    if caller.key_id is not None and caller.per_minute is not None:
        # The request itself was counted; a batch larger than a minute's worth takes all of it.
        thousands = min(len(batch.points) // 1000, caller.per_minute - 1)
        state.rate_limits.take(caller.key_id, caller.per_minute, times=thousands)
    if isinstance(access, Known):
        found, as_of = _answers_cut_off(access, batch, state.located)
    else:
        found, as_of = _answers(access, batch, state.located), datetime.now(UTC)
        tell(access.session, found, first=batch.common.people == "first")
    if _wants_arrow(request.headers.get("accept", ""), kind):
        return Response(to_arrow(batch, found, as_of), media_type=ARROW)
    return Response(to_json(batch, found, as_of), media_type=JSON)


def _answers(access: Access, batch: Batch, located: Located | None) -> Answers:
    if batch.common.category is not None:
        check_category(access.session, batch.common.category)
    asked: dict[str, Any] = {
        "scope": access.caller.scope,
        "matter": batch.common.category,
        "nearest": batch.common.nearest,
    }
    snapshot = (
        located.keeper.snapshot if located is not None and located.keeper.is_current else None
    )
    if snapshot is not None:
        return batches.locate(access.session, snapshot, batch.points, **asked)
    if len(batch.points) > batches.MOST_FROM_DATABASE:
        raise Unavailable(
            f"more than {batches.MOST_FROM_DATABASE:,} points need the compiled grids, which are "
            "not ready: try again in some seconds, or send fewer at once"
        )
    return batches.from_database(access.session, batch.points, **asked)


def _answers_cut_off(access: Known, batch: Batch, located: Located) -> tuple[Answers, datetime]:
    """What was known when the database was last there, and when that was."""
    snapshot, as_of = located.keeper.snapshot, datetime.fromtimestamp(located.keeper.as_of, UTC)
    if snapshot is None:  # damaged on the disk, and found out just now
        raise Unavailable("the database is away, and the compiled grids are not to be trusted")
    if batch.common.category is not None:
        check_known_category(snapshot.roster.categories, batch.common.category)
    found = cut_off.locate(
        snapshot, batch.points, as_of=as_of,
        scope=access.caller.scope, matter=batch.common.category,
    )  # fmt: skip
    try:
        is_first = batch.common.people == "first"
        cut_off.note(located.journal, access.reader, access.context, found, first=is_first)
    except OSError as error:
        raise Unavailable(
            "the database is away, and that you were told cannot be written down either"
        ) from error
    return found, as_of


def _wants_arrow(accepted: str, sent: str) -> bool:
    """Whether the answer is to be Arrow: as ``Accept`` says, else as the request was."""
    wanted = [each.partition(";")[0].strip().lower() for each in accepted.split(",")]
    return ARROW in wanted or (sent == ARROW and JSON not in wanted)
