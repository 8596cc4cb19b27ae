"""Whether the service is alive, and whether it is ready to answer."""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Request, Response

from api.dependencies import get_database
from gis import hardening
from gis.database import Database

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live", summary="The process answers")
def live() -> dict[str, str]:
    """Always 200 while the process runs; looks at nothing else."""
    return {"status": "live"}


@router.get(
    "/ready",
    summary="The database answers and has this release's tables",
    responses={503: {"description": "Not ready; the body says what is missing"}},
)
def ready(
    database: Annotated[Database, Depends(get_database)], request: Request, response: Response
) -> Any:
    """200 when requests can be served, else 503 with each failed check."""
    checks: dict[str, str] = {}
    is_ready, wanted = False, request.app.state.revision
    try:
        with database.service.connect() as connection:
            found = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
            holes = hardening.breaches(connection)
            leakproof = hardening.is_leakproof(connection)
        fits = found is not None and wanted in {None, found}
        is_ready = fits and not holes
        checks["database"] = "ok"
        checks["schema"] = str(found) if fits else f"is {found}, this release needs {wanted}"
        # Which holes is for those who may look: wangge db check.
        checks["row_level_security"] = "broken: run 'wangge db check'" if holes else "ok"
        checks["spatial_index"] = "ok" if leakproof else "not used under policies: see the log"
    except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError):
        checks["database"] = "does not answer"
    except sa.exc.ProgrammingError:
        checks["database"], checks["schema"] = "ok", "missing: run 'wangge db upgrade'"
    response.status_code = 200 if is_ready else 503
    if not is_ready:
        response.headers["Retry-After"] = "5"
    response.headers["Cache-Control"] = "no-store"
    return {"status": "ready" if is_ready else "not ready", "checks": checks}
