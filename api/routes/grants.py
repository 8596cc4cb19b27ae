"""Access to other areas for a time, and breaking the glass."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from api.auth import Access, needs
from api.schemas.accounts import GlassBody, GrantBody, GrantOut, GrantsOut
from boundaries.accounts import grants, repository

router = APIRouter(prefix="/api/v1/grants", tags=["grants"])
Giver = Annotated[Access, needs("grants.give")]


@router.get("", summary="Grants")
def index(
    access: Annotated[Access, needs()],
    *,
    in_force: Annotated[bool, Query(description="Only those that are in force or to come")] = False,
) -> GrantsOut:
    """Those of the caller's area for who gives them, one's own for everybody; the newest first."""
    found = repository.grants(access.session, only_in_force=in_force)
    return GrantsOut(
        grants=[GrantOut.of(*each) for each in found],
        unseen=sum(grant.kind == "break_glass" and grant.seen_at is None for grant, _ in found),
    )


@router.post(
    "",
    status_code=201,
    summary="Give access to another area",
    responses={404: {"description": "There is no such account in the caller's area"}},
)
def give(body: GrantBody, access: Giver) -> GrantOut:
    """For a time and a reason, with the rights that the account's role has."""
    account = repository.named_account(access.session, body.login)
    grant = grants.give(
        access.session,
        account,
        body.area_code,
        reason=body.reason,
        until=body.until,
        since=body.since,
        actor=access.actor,
    )
    return GrantOut.of(grant, account.login)


@router.post("/break-glass", status_code=201, summary="Break the glass")
def break_glass(body: GlassBody, access: Annotated[Access, needs("incidents.read")]) -> GrantOut:
    """See another area at once, for four hours at the most.

    The security administrator is shown it until it is marked as seen; it stands in the audit log.
    """
    grant = grants.break_glass(
        access.session,
        access.caller,
        body.area_code,
        reason=body.reason,
        lasts=timedelta(minutes=body.minutes),
    )
    return GrantOut.of(grant, access.caller.login)


@router.post("/{grant_id}/seen", status_code=204, summary="Mark broken glass as seen")
def mark_seen(grant_id: uuid.UUID, access: Giver) -> None:
    """From then on it is no longer counted as unseen."""
    grants.mark_seen(access.session, grant_id, actor=access.actor)


@router.delete("/{grant_id}", status_code=204, summary="Revoke a grant")
def revoke(grant_id: uuid.UUID, access: Annotated[Access, needs()]) -> None:
    """At once: by who gives grants, or by who has broken the glass."""
    grants.revoke(access.session, grant_id, actor=access.actor)
