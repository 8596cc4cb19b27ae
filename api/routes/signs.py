"""Signs, and what residents report by scanning them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

import sqlalchemy as sa
from fastapi import APIRouter, Path, Request, Response
from sqlalchemy.orm import Session

from api.auth import Access, RateLimits, needs, refuse_other_sites
from api.dependencies import DatabaseIn, KeyringIn
from api.schemas.intake import (
    EXAMPLE_CODE,
    CategoryBrief,
    DeskOut,
    IntakeIn,
    ReceiptIn,
    ReceiptOut,
    ScanIn,
    SignIn,
    SignOut,
    SignsOut,
)
from boundaries.repository import units_by_code
from grids.incidents import intake, reporters
from grids.incidents.models import Incident, IncidentCategory
from grids.models import GridShape

router = APIRouter(prefix="/api/v1", tags=["signs"])
Manager = Annotated[Access, needs("signs.manage")]
Code = Annotated[str, Path(max_length=20, examples=[EXAMPLE_CODE])]
HOUR_S: Final = 3600.0
REPORTS_AN_HOUR: Final = 20
LOOKS_AN_HOUR: Final = 120
REPORTS_BY_SIGN_AN_HOUR: Final = 120
REFUSED: Final[dict[int | str, dict[str, str]]] = {
    403: {"description": "Another site's page asked, or the place lies outside the county"},
    404: {"description": "The sign was taken down, or never was"},
    429: {"description": "Too many from this address or by this sign; see Retry-After"},
}


@router.get("/signs", summary="Signs of the area")
def index(access: Manager) -> SignsOut:
    """Those taken down too, last."""
    return SignsOut(signs=[SignOut.of(each) for each in intake.signs(access.session)])


@router.post("/signs", status_code=201, summary="Put a sign up")
def put_up(body: SignIn, access: Manager) -> SignOut:
    """Its code is drawn at random; `poster.pdf` is what to print."""
    sign = intake.put_up(
        access.session, body.place_name, lon=body.lon, lat=body.lat, actor=access.actor
    )
    return SignOut.of(sign)


@router.delete("/signs/{sign_code}", status_code=204, summary="Take a sign down")
def take_down(sign_code: Code, access: Manager) -> None:
    """Whoever scans it from now on is told that it is no longer in use."""
    intake.take_down(access.session, sign_code, actor=access.actor)


@router.get(
    "/signs/{sign_code}/poster.pdf",
    summary="A sign to print",
    response_class=Response,
    responses={200: {"content": {"application/pdf": {}}, "description": "One page, A5"}},
)
def poster(
    sign_code: Code, request: Request, access: Annotated[Access, needs("signs.manage", heavy=True)]
) -> Response:
    """The place's name, the square code, and how to use it, in Chinese and English."""
    # Here, not above: matplotlib takes a second to load, and no other route of these needs it.
    from maps.poster import draw  # noqa: PLC0415

    sign = intake.found(access.session, sign_code)
    page = draw(sign.code, sign.place_name, str(request.base_url))
    name = f'inline; filename="wangge-sign-{sign.code}.pdf"'
    return Response(page, media_type="application/pdf", headers={"Content-Disposition": name})


@router.post("/intake/sign", summary="A sign that was scanned", responses=REFUSED)
def scan(body: ScanIn, request: Request, database: DatabaseIn) -> DeskOut:
    """Where it hangs and what can be reported. Needs no account."""
    _count(request, "look", LOOKS_AN_HOUR)
    with database.service_transaction() as session:
        desk = intake.enter(session, body.code, origin=_origin(request))
        units = units_by_code(session, [desk.area_code], datetime.now(UTC))
        categories = session.scalars(
            sa.select(IncidentCategory).order_by(IncidentCategory.kind, IncidentCategory.code)
        )
        return DeskOut(
            place_name=desk.place_name,
            unit_zh=units[-1].name if units else desk.area_code,
            unit_en=units[-1].name_en if units else None,
            lon=desk.lon,
            lat=desk.lat,
            categories=[
                CategoryBrief(
                    code=each.code, name_zh=each.name_zh, name_en=each.name_en, kind=each.kind
                )
                for each in categories
            ],
        )


@router.post(
    "/intake",
    status_code=201,
    summary="Report by a sign",
    responses={
        **REFUSED,
        200: {"model": ReceiptOut, "description": "A retry: it was stored before, unchanged"},
        409: {"description": "The id was used for another report"},
    },
)
def report(
    body: IntakeIn,
    request: Request,
    response: Response,
    database: DatabaseIn,
    keyring: KeyringIn,
) -> ReceiptOut:
    """Store what a resident reports; answered means committed. Needs no account.

    Without a position it is where the sign hangs. The id is the receipt: keep it to ask what
    became of the report.
    """
    _count(request, "report", REPORTS_AN_HOUR)
    limits: RateLimits = request.app.state.rate_limits
    limits.take(
        ("sign", intake.normal(body.code)),
        REPORTS_BY_SIGN_AN_HOUR,
        within_s=HOUR_S,
        what="by this sign {limit} reports an hour are taken",
    )
    told = body.reporter
    with database.service_transaction() as session:
        desk = intake.enter(session, body.code, origin=_origin(request))
        stored = intake.report(
            session,
            desk,
            receipt_id=body.id,
            category=body.category,
            text=body.text,
            position=body.position,
            who=reporters.Identity(told.name, told.phone) if told else reporters.Identity(),
            keyring=keyring,
        )
        shown = _receipt(session, stored.incident)
    if not stored.is_new:
        response.status_code = 200
    return shown


@router.post("/intake/receipt", summary="What became of a report", responses=REFUSED)
def receipt(body: ReceiptIn, request: Request, database: DatabaseIn) -> ReceiptOut:
    """By its receipt and a sign of the same county. Needs no account."""
    _count(request, "look", LOOKS_AN_HOUR)
    with database.service_transaction() as session:
        intake.enter(session, body.code, origin=_origin(request))
        return _receipt(session, intake.receipt(session, body.id))


def _receipt(session: Session, incident: Incident) -> ReceiptOut:
    shape = None
    if incident.edition_id is not None and incident.grid_id is not None:
        shape = session.get(GridShape, (incident.edition_id, incident.grid_id))
    return ReceiptOut.model_validate(
        {
            "id": incident.id,
            "state": incident.state,
            "category": incident.category,
            "reported_at": incident.reported_at,
            "grid": (shape.name or shape.code) if shape else None,
        }
    )


def _origin(request: Request) -> str:
    return request.client.host if request.client else ""


def _count(request: Request, what: str, limit: int) -> None:
    """Count a request of nobody's, by where it comes from."""
    refuse_other_sites(request)
    limits: RateLimits = request.app.state.rate_limits
    limits.take(
        (what, _origin(request)),
        limit,
        within_s=HOUR_S,
        what="from this address {limit} requests an hour are taken here",
    )
