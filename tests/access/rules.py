"""What each role may ask for and see, written down apart from the code: the law of the matrix.

Three tables, a column for each role. Whoever adds an endpoint, a tile layer or a table adds its
line here, or the matrix fails; whoever changes a line changes who sees what.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tests.access.place import ROLES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.access.place import Caller, Mark, Place, Row

#   in      rows of its own subtree of units
#   around  the same, and those of a unit that its own lies in (an edition is the whole county's)
#   grid    rows of its own subtree that belong to the grids it works in
#   sent    rows of its own subtree that were sent to the department its person is an officer of
#   own     only what is its own: what it reported itself, its own account
#   all     all
#   -       none
# What a role's "own" adds to the others stands in OWN below.
SIGHT: Final = """
               resident grid_worker community township department dispatcher planner patrol_leader analyst integrator system_admin security_admin audit_admin
unit           all      all         all       all      all        all        all     all           all     all        all          all            all
border         all      all         all       all      all        all        all     all           all     all        all          all            all
edition        -        around      around    around   around     around     around  around        around  around     -            -              -
grid           -        in          in        in       in         in         in      in            in      in         -            -              -
department     -        around      around    around   around     around     around  around        around  around     -            -              -
matter         -        around      around    around   around     around     around  around        around  around     -            -              -
duty mode      -        around      around    around   around     around     around  around        around  around     -            -              -
lineage        -        in          in        in       in         in         in      in            in      in         -            -              -
identity       -        around      around    around   around     around     around  around        around  around     -            -              -
barrier        -        around      around    around   around     around     around  around        around  around     -            -              -
draft edition  -        -           -         -        -          -          around  -             -       -          -            -              -
draft          -        -           -         -        -          -          in      -             -       -          -            -              -
cell           -        -           -         -        -          -          in      -             -       -          -            -              -
plan           -        -           -         -        -          -          around  -             -       -          -            -              -
plan move      -        -           -         -        -          -          around  -             -       -          -            -              -
plan step      -        -           -         -        -          -          around  -             -       -          -            -              -
plan lock      -        -           -         -        -          -          around  -             -       -          -            -              -
plan comment   -        -           -         -        -          -          around  -             -       -          -            -              -
save point     -        -           -         -        -          -          around  -             -       -          -            -              -
building       -        -           in        in       -          in         in      -             -       -          -            -              -
place          -        in          in        in       in         in         in      in            in      in         -            -              -
house number   -        in          in        in       in         in         in      in            in      in         -            -              -
address name   -        in          in        in       in         in         in      in            in      in         -            -              -
address alias  -        in          in        in       in         in         -       -             -       in         -            -              -
address review -        in          in        in       in         in         -       -             -       -          -            -              -
asked          -        grid        in        in       sent       in         -       -             -       -          -            -              -
person         -        in          in        in       in         in         in      in            in      in         -            -              -
assignment     -        in          in        in       in         in         in      in            in      in         -            -              -
leave          -        in          in        in       in         in         in      in            in      in         -            -              -
camera         -        -           -         -        -          in         -       in            -       -          -            -              -
route          -        -           -         -        -          in         -       in            -       -          -            -              -
checkpoint     -        -           -         -        -          in         -       in            -       -          -            -              -
patrol         -        own         -         -        -          in         -       in            -       -          -            -              -
fix            -        own         -         -        -          -          -       in            -       -          -            -              -
incident       own      grid        in        in       sent       in         own     own           in      own        own          own            own
event          own      grid        in        in       sent       in         own     own           in      own        own          own            own
said           own      grid        in        in       sent       in         own     own           own     own        own          own            own
sending        -        -           in        in       sent       in         -       -             in      -          -            -              -
reporter       -        -           -         -        -          in         -       -             -       -          -            -              -
sign           -        -           in          in       -          in         -       -             -       -          -            -              -
account        own      own         own       own      own        own        own     own           own     own        in           in             own
sessions       own      own         own       own      own        own        own     own           own     own        in           own            own
api_keys       own      own         own       own      own        own        own     own           own     own        in           in             own
area_grants    own      own         own       own      own        own        own     own           own     own        in           in             own
exports        own      own         own       own      own        own        own     own           own     own        own          in             own
summary        -        own         -         -        -          in         -       in            -       -          -            -              -
audit          -        -           -         -        -          -          -       -             -       -          -            -              in
purpose        -        -           -         -        -          -          -       -             -       -          -            -              in
"""  # noqa: E501

# Kinds of which everybody sees their own, wherever their area: the worker their own person, duties,
# leaves and walks; whoever reported it the incident; everybody their account and devices.
OWN: Final = frozenset({
    "person", "assignment", "leave", "patrol", "fix", "incident", "event", "said", "account",
    "sessions", "api_keys", "area_grants", "exports", "summary",
})  # fmt: skip

# Who may ask at all, by an API key; the rest is refused with 403, whatever is there. What is a
# signed-in person's own (password, devices, second factor, breaking glass) is done by no key.
DOORS: Final = """
                                            resident grid_worker community township department dispatcher planner patrol_leader analyst integrator system_admin security_admin audit_admin
GET:/api/v1/accounts                        -        -           -         -        -          -          -       -             -       -          yes          yes            -
POST:/api/v1/accounts                       -        -           -         -        -          -          -       -             -       -          yes          -              -
GET:/api/v1/accounts/{id}                   -        -           -         -        -          -          -       -             -       -          yes          yes            -
POST:/api/v1/accounts/{id}/password         -        -           -         -        -          -          -       -             -       -          yes          -              -
PUT:/api/v1/accounts/{id}/role              -        -           -         -        -          -          -       -             -       -          yes          yes            -
GET:/api/v1/accounts/{id}/sessions          -        -           -         -        -          -          -       -             -       -          yes          -              -
DELETE:/api/v1/accounts/{id}/sessions       -        -           -         -        -          -          -       -             -       -          yes          -              -
PUT:/api/v1/accounts/{id}/state             -        -           -         -        -          -          -       -             -       -          yes          -              -
DELETE:/api/v1/accounts/{id}/totp           -        -           -         -        -          -          -       -             -       -          yes          -              -
GET:/api/v1/addresses/aliases               -        yes         yes       yes      yes        yes        -       -             -       -          -            -              -
DELETE:/api/v1/addresses/aliases/{id}       -        yes         yes       yes      yes        yes        -       -             -       -          -            -              -
POST:/api/v1/addresses/search               -        yes         yes       yes      yes        yes        yes     yes           yes     yes        -            -              -
GET:/api/v1/addresses/reverse               -        yes         yes       yes      yes        yes        yes     yes           yes     yes        -            -              -
GET:/api/v1/addresses/reviews               -        yes         yes       yes      yes        yes        -       -             -       -          -            -              -
GET:/api/v1/addresses/reviews/{id}          -        yes         yes       yes      yes        yes        -       -             -       -          -            -              -
POST:/api/v1/addresses/reviews/{id}         -        yes         yes       yes      yes        yes        -       -             -       -          -            -              -
GET:/api/v1/departments                     -        yes         yes       yes      yes        yes        -       -             -       -          -            -              -
GET:/api/v1/audit                           -        -           -         -        -          -          -       -             -       -          -            -              yes
GET:/api/v1/exports                         -        -           -         yes      -          yes        yes     -             yes     -          -            yes            -
POST:/api/v1/exports                        -        -           -         yes      -          yes        yes     -             yes     -          -            -              -
GET:/api/v1/exports/{id}                    -        -           -         yes      -          yes        yes     -             yes     -          -            yes            -
POST:/api/v1/exports/{id}/decision          -        -           -         -        -          -          -       -             -       -          -            yes            -
GET:/api/v1/exports/{id}/file               -        -           -         yes      -          yes        yes     -             yes     -          -            -              -
GET:/api/v1/grants                          yes      yes         yes       yes      yes        yes        yes     yes           yes     yes        yes          yes            yes
POST:/api/v1/grants                         -        -           -         -        -          -          -       -             -       -          -            yes            -
POST:/api/v1/grants/break-glass             -  -  -  -  -  -  -  -  -  -  -  -  -
DELETE:/api/v1/grants/{id}                  yes      yes         yes       yes      yes        yes        yes     yes           yes     yes        yes          yes            yes
POST:/api/v1/grants/{id}/seen               -        -           -         -        -          -          -       -             -       -          -            yes            -
GET:/api/v1/gridmaps                        -        -           yes       yes      -          yes        -       -             yes     -          -            -              -
GET:/api/v1/gridmaps.geojson                -        -           yes       yes      -          yes        -       -             yes     -          -            -              -
GET:/api/v1/heatmaps                        -        -           yes       yes      -          yes        -       -             yes     -          -            -              -
GET:/api/v1/heatmaps.png                    -        -           yes       yes      -          yes        -       -             yes     -          -            -              -
GET:/api/v1/heatmaps.geojson                -        -           yes       yes      -          yes        -       -             yes     -          -            -              -
GET:/tiles/heatmap/{z}/{x}/{y}.png          -        -           yes       yes      -          yes        -       -             yes     -          -            -              -
GET:/tiles/heatmap/{z}/{x}/{y}              -        -           yes       yes      -          yes        -       -             yes     -          -            -              -
GET:/tiles/streets/{z}/{x}/{y}              -        -           yes       yes      -          yes        -       -             yes     -          -            -              -
GET:/api/v1/heatmaps/streets                -        -           yes       yes      -          yes        -       -             yes     -          -            -              -
GET:/api/v1/heatmaps/streets.geojson        -        -           yes       yes      -          yes        -       -             yes     -          -            -              -
GET:/api/v1/hotspots                        -        -           yes       yes      -          yes        -       -             yes     -          -            -              -
GET:/api/v1/hotspots.geojson                -        -           yes       yes      -          yes        -       -             yes     -          -            -              -
GET:/api/v1/attention                       -        -           yes       yes      -          yes        -       -             yes     -          -            -              -
GET:/api/v1/attention.geojson               -        -           yes       yes      -          yes        -       -             yes     -          -            -              -
GET:/api/v1/attention/backtest              -        -           yes       yes      -          yes        -       -             yes     -          -            -              -
GET:/attention/backtest                     -        -           yes       yes      -          yes        -       -             yes     -          -            -              -
GET:/api/v1/incidents                       yes      yes         yes       yes      yes        yes        -       -             yes     yes        -            -              -
POST:/api/v1/incidents                      yes      yes         yes       yes      yes        yes        -       -             -       yes        -            -              -
GET:/api/v1/incidents/repeats               -        yes         yes       yes      yes        yes        -       -             -       -          -            -              -
GET:/api/v1/incidents/{id}                  yes      yes         yes       yes      yes        yes        -       -             yes     yes        -            -              -
GET:/api/v1/incidents/{id}/duplicates       -        yes         yes       yes      yes        yes        -       -             -       -          -            -              -
PUT:/api/v1/incidents/{id}/duplicates/{id}  -        yes         yes       yes      yes        yes        -       -             -       -          -            -              -
POST:/api/v1/incidents/{id}/events          -        yes         yes       yes      yes        yes        -       -             -       -          -            -              -
POST:/api/v1/incidents/{id}/reporter/reveal -        -           -         -        -          yes        -       -             -       -          -            -              -
GET:/api/v1/keys                            -        -           -         -        -          -          -       -             -       -          -            yes            -
POST:/api/v1/keys                           -        -           -         -        -          -          -       -             -       -          -            yes            -
DELETE:/api/v1/keys/{id}                    -        -           -         -        -          -          -       -             -       -          -            yes            -
GET:/api/v1/editions                        -        yes         yes       yes      yes        yes        yes     yes           yes     yes        -            -              -
GET:/api/v1/editions/{id}/breaches          -        -           -         -        -          -          yes     -             -       -          -            -              -
GET:/api/v1/editions/{id}/to-do             -        -           -         -        -          -          yes     -             -       -          -            -              -
POST:/api/v1/editions/{id}/publish          -        -           -         -        -          -          yes     -             -       -          -            -              -
POST:/api/v1/editions/{id}/rollback         -        -           -         -        -          -          yes     -             -       -          -            -              -
POST:/api/v1/editions/{id}/withdraw         -        -           -         -        -          -          yes     -             -       -          -            -              -
GET:/api/v1/editions/{id}/lineage           -        yes         yes       yes      yes        yes        yes     yes           yes     yes        -            -              -
GET:/api/v1/locate                          -        yes         yes       yes      yes        yes        yes     yes           yes     yes        -            -              -
POST:/api/v1/locate                         -        yes         yes       yes      yes        yes        yes     yes           yes     yes        -            -              -
GET:/api/v1/me/looks                        yes      yes         yes       yes      yes        yes        yes     yes           yes     yes        yes          yes            yes
GET:/api/v1/me/tracks                       -        yes         -         -        -          -          -       -             -       -          -            -              -
GET:/api/v1/meta                            yes      yes         yes       yes      yes        yes        yes     yes           yes     yes        yes          yes            yes
GET:/api/v1/plans                           -        -           -         -        -          -          yes     -             -       -          -            -              -
POST:/api/v1/plans                          -        -           -         -        -          -          yes     -             -       -          -            -              -
POST:/api/v1/plans/drawings                 -        -           -         -        -          -          yes     -             -       -          -            -              -
GET:/api/v1/plans/{id}                      -        -           -         -        -          -          yes     -             -       -          -            -              -
GET:/api/v1/plans/{id}/grids                -        -           -         -        -          -          yes     -             -       -          -            -              -
GET:/api/v1/plans/{id}/cells                -        -           -         -        -          -          yes     -             -       -          -            -              -
GET:/api/v1/plans/{id}/shapes               -        -           -         -        -          -          yes     -             -       -          -            -              -
GET:/api/v1/plans/{id}/moves                -        -           -         -        -          -          yes     -             -       -          -            -              -
POST:/api/v1/plans/{id}/moves               -        -           -         -        -          -          yes     -             -       -          -            -              -
POST:/api/v1/plans/{id}/undo                -        -           -         -        -          -          yes     -             -       -          -            -              -
POST:/api/v1/plans/{id}/redo                -        -           -         -        -          -          yes     -             -       -          -            -              -
POST:/api/v1/plans/{id}/go-to               -        -           -         -        -          -          yes     -             -       -          -            -              -
POST:/api/v1/plans/{id}/locks               -        -           -         -        -          -          yes     -             -       -          -            -              -
POST:/api/v1/plans/{id}/unlock              -        -           -         -        -          -          yes     -             -       -          -            -              -
GET:/api/v1/plans/{id}/comments             -        -           -         -        -          -          yes     -             -       -          -            -              -
POST:/api/v1/plans/{id}/comments            -        -           -         -        -          -          yes     -             -       -          -            -              -
POST:/api/v1/plans/{id}/comments/{id}/close -        -           -         -        -          -          yes     -             -       -          -            -              -
GET:/api/v1/plans/{id}/save-points          -        -           -         -        -          -          yes     -             -       -          -            -              -
POST:/api/v1/plans/{id}/save-points         -        -           -         -        -          -          yes     -             -       -          -            -              -
GET:/api/v1/plans/{id}/comparison           -        -           -         -        -          -          yes     -             -       -          -            -              -
GET:/api/v1/plans/{id}/difference           -        -           -         -        -          -          yes     -             -       -          -            -              -
GET:/api/v1/plans/{id}/letters              -        -           -         -        -          -          yes     -             -       -          -            -              -
GET:/api/v1/plans/{id}/export               -        -           -         -        -          -          yes     -             -       -          -            -              -
POST:/api/v1/plans/{id}/submit              -        -           -         -        -          -          yes     -             -       -          -            -              -
GET:/api/v1/plans/{id}/reviews              -        -           -         -        -          -          yes     -             -       -          -            -              -
POST:/api/v1/plans/{id}/approve             -        -           -         -        -          -          yes     -             -       -          -            -              -
POST:/api/v1/plans/{id}/return              -        -           -         -        -          -          yes     -             -       -          -            -              -
POST:/api/v1/plans/{id}/publish             -        -           -         -        -          -          yes     -             -       -          -            -              -
PUT:/api/v1/password                        -        -           -         -        -          -          -       -             -       -          -            -              -
GET:/api/v1/people                          -        -           yes       yes      -          yes        yes     yes           -       -          -            -              -
POST:/api/v1/people/search                  -        -           yes       yes      -          yes        yes     yes           -       -          -            -              -
POST:/api/v1/people/{id}/reveal             -        -           -         yes      -          yes        -       yes           -       -          -            -              -
GET:/api/v1/signs                           -        -           yes         yes      -          yes        -       -             -       -          -            -              -
POST:/api/v1/signs                          -        -           yes         yes      -          yes        -       -             -       -          -            -              -
DELETE:/api/v1/signs/{id}                   -        -           yes         yes      -          yes        -       -             -       -          -            -              -
GET:/api/v1/signs/{id}/poster.pdf           -        -           yes         yes      -          yes        -       -             -       -          -            -              -
GET:/api/v1/session                         yes      yes         yes       yes      yes        yes        yes     yes           yes     yes        yes          yes            yes
DELETE:/api/v1/session                      -        -           -         -        -          -          -       -             -       -          -            -              -
GET:/api/v1/sessions                        yes      yes         yes       yes      yes        yes        yes     yes           yes     yes        yes          yes            yes
DELETE:/api/v1/sessions                     -        -           -         -        -          -          -       -             -       -          -            -              -
DELETE:/api/v1/sessions/{id}                -        -           -         -        -          -          -       -             -       -          -            -              -
POST:/api/v1/totp                           -        -           -         -        -          -          -       -             -       -          -            -              -
PUT:/api/v1/totp                            -        -           -         -        -          -          -       -             -       -          -            -              -
POST:/api/v1/totp/removal                   -        -           -         -        -          -          -       -             -       -          -            -              -
GET:/tiles/{layer}                          yes      yes         yes       yes      yes        yes        yes     yes           yes     yes        yes          yes            yes
GET:/tiles/{layer}/{z}/{x}/{y}              yes      yes         yes       yes      yes        yes        yes     yes           yes     yes        yes          yes            yes
"""  # noqa: E501

LAYERS: Final = """
           resident grid_worker community township department dispatcher planner patrol_leader analyst integrator system_admin security_admin audit_admin
units      yes      yes         yes       yes      yes        yes        yes     yes           yes     yes        yes          yes            yes
borders    yes      yes         yes       yes      yes        yes        yes     yes           yes     yes        yes          yes            yes
grids      -        yes         yes       yes      yes        yes        yes     yes           yes     yes        -            -              -
barriers   -        yes         yes       yes      yes        yes        yes     yes           yes     yes        -            -              -
buildings  -        -           yes       yes      -          yes        yes     -             -       -          -            -              -
cameras    -        -           -         -        -          yes        -       yes           -       -          -            -              -
routes     -        -           -         -        -          yes        -       yes           -       -          -            -              -
incidents  yes      yes         yes       yes      yes        yes        -       -             yes     yes        -            -              -
"""  # noqa: E501

# Asked without signing in, on purpose: they tell nothing of what is in the database.
PUBLIC: Final = frozenset({
    ("GET", "/health/live"), ("GET", "/health/ready"), ("GET", "/"), ("GET", "/openapi.json"),
    ("MOUNT", "/viewer"), ("GET", "/plan"), ("POST", "/api/v1/session"), ("GET", "/api/v1/oidc"),
    # What a scanned sign lets anybody do: tests/api/test_signs.py.
    ("GET", "/q"), ("POST", "/api/v1/intake"), ("POST", "/api/v1/intake/sign"),
    ("POST", "/api/v1/intake/receipt"),
})  # fmt: skip

# Table -> the column that tells its rows apart; the kinds of row in it are those of SIGHT.
TABLES: Final = {
    "admin_units": "code",
    "border_lines": "name",
    "editions": "title",
    "grids": "id",
    "grid_shapes": "code",
    "cells": "grid_id",
    "grid_lineage": "predecessor_code",
    "plans": "created_by",
    "plan_moves": "author",
    "plan_steps": "author",
    "plan_locks": "author",
    "plan_comments": "words",
    "plan_save_points": "name",
    "buildings": "name",
    "places": "name",
    "addresses": "label",
    "address_names": "name",
    "address_aliases": "label",
    "address_reviews": "text",
    "barriers": "name",
    "persons": "id",
    "assignments": "author",
    "leaves": "author",
    "departments": "name",
    "department_matters": "author",
    "duty_modes": "reason",
    "cameras": "name",
    "patrol_routes": "name",
    "checkpoints": "name",
    "patrols": "team",
    "track_fixes": "patrol_id",
    "incidents": "id",
    "incident_events": "incident_id",
    "incident_departments": "incident_id",
    "reporters": "incident_id",
    "signs": "place_name",
    "accounts": "id",
    "sessions": "agent",
    "api_keys": "name",
    "area_grants": "reason",
    "exports": "purpose",
    "track_summaries": "patrol_id",
    "audit_log": "object_id",
    "audit_purposes": "words",
}

# The same for everybody: dictionaries, and what the database keeps of itself.
REFERENCE: Final = frozenset({
    "admin_levels", "incident_categories", "incident_transitions", "rights", "roles",
    "role_rights", "column_classes", "retention_rules", "spatial_ref_sys", "alembic_version",
})  # fmt: skip
# Not granted to the service at all.
UNREACHABLE: Final = frozenset({
    "snapshot_changes", "incident_changes", "imports", "import_changes", "retention_runs",
    "sign_in_failures", "audit_heads", "audit_roots",
})  # fmt: skip

# Rights that no route and no policy asks for yet: each waits for the endpoint that will.
AWAITED: Final = frozenset({"system.run"})  # fmt: skip


def table(text: str) -> dict[str, dict[str, str]]:
    """Line -> role -> word, of one of the tables above."""
    head, *lines = text.strip("\n").splitlines()
    assert head.split() == list(ROLES)
    found = {}
    for line in lines:
        name, words = line.split()[: -len(ROLES)], line.split()[-len(ROLES) :]
        found[" ".join(name)] = dict(zip(ROLES, words, strict=True))
    return found


_SIGHT = table(SIGHT)
_DOORS = table(DOORS)
_LAYERS = table(LAYERS)


def door(method: str, path: str) -> str:
    """An operation as the table above names it."""
    return f"{method}:{re.sub(r'{[a-z]+_(?:id|code)}', '{id}', path)}"


def may_ask(caller: Caller, door: str) -> bool:
    """Whether a role may ask for it: 'GET:/api/v1/meta', or a tile layer by its name."""
    return (_LAYERS.get(door) or _DOORS[door])[caller.role] == "yes"


def sees(caller: Caller, row: Row) -> bool:
    """Whether a row is to be seen by a caller."""
    is_walked = row.kind not in {"incident", "event", "said"}  # those stay in the area
    if row.kind in OWN and (
        row.by == caller.login or (is_walked and row.person and row.person == caller.person)
    ):
        return True
    areas = (caller.area, *caller.also)
    inside = any(code.startswith(area) for code in row.areas for area in areas)
    match _SIGHT[row.kind][caller.role]:
        case "all":
            return True
        case "in":
            return inside
        case "around":
            return inside or any(area.startswith(row.areas) for area in areas)
        case "sent" | "grid" as word:
            has, wanted = (
                (row.sent, caller.office) if word == "sent" else (row.person, caller.person)
            )
            return inside and has is not None and has == wanted
        case _:
            return False


def visible(place: Place, caller: Caller, kind: str) -> list[Row]:
    """Rows of a kind that a caller is to see."""
    return [row for row in place.rows[kind] if sees(caller, row)]


def marks(rows: Iterable[Row]) -> set[Mark]:
    """Marks of rows."""
    return {row.mark for row in rows}
