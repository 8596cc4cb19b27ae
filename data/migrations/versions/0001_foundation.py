"""The first schema: boundaries, editions, grids, people, cameras, patrols, incidents, audit."""

from importlib.resources import files
from typing import Any

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    folder = files("data.migrations").joinpath("sql/0001")
    parts = sorted(folder.iterdir(), key=lambda path: path.name)
    # On the driver itself: the text has colons and percent signs that are no placeholders.
    driver: Any = op.get_bind().connection.driver_connection
    for part in parts:
        driver.execute(part.read_text(encoding="utf-8"))
