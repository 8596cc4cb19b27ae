"""Whether the service is alive, and whether it is ready to answer."""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Response

from api.dependencies import get_database
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
def ready(database: Annotated[Database, Depends(get_database)], response: Response) -> Any:
    """200 when requests can be served, else 503 with each failed check."""
    checks: dict[str, str] = {}
    try:
        with database.engine.connect() as connection:
            revision = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        checks["database"], checks["schema"] = "ok", str(revision)
    except sa.exc.OperationalError:
        checks["database"] = "does not answer"
    except sa.exc.ProgrammingError:
        checks["database"], checks["schema"] = "ok", "missing: run 'wangge db upgrade'"
    is_ready = checks.get("schema", "missing")[:7] != "missing"
    response.status_code = 200 if is_ready else 503
    response.headers["Cache-Control"] = "no-store"
    return {"status": "ready" if is_ready else "not ready", "checks": checks}
