"""Camera points."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from geoalchemy2 import Geometry
from sqlalchemy.orm import Mapped, mapped_column

from boundaries.models import Code
from gis.database import Base


class Camera(Base):
    """A camera; its nominal field of view is ``wangge_sector`` of these columns."""

    __tablename__ = "cameras"
    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)
    county_code: Mapped[str] = mapped_column(Code)
    area_code: Mapped[str] = mapped_column(Code, server_default=sa.FetchedValue())
    national_id: Mapped[str | None] = mapped_column(sa.Text)
    name: Mapped[str] = mapped_column(sa.Text)
    kind: Mapped[str] = mapped_column(sa.Text, server_default="fixed")
    heading_deg: Mapped[float | None] = mapped_column(sa.Double)
    hfov_deg: Mapped[float] = mapped_column(sa.Double)
    range_m: Mapped[float] = mapped_column(sa.Double)
    height_m: Mapped[float | None] = mapped_column(sa.Double)
    tilt_deg: Mapped[float | None] = mapped_column(sa.Double)
    optics: Mapped[str] = mapped_column(sa.Text, server_default="assumed")
    status: Mapped[str] = mapped_column(sa.Text, server_default="unknown")
    geom: Mapped[Any] = mapped_column(Geometry("POINT", 4326, spatial_index=False))
    source: Mapped[str] = mapped_column(sa.Text)
    external_id: Mapped[str] = mapped_column(sa.Text)
