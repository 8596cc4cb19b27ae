"""The first schema: boundaries, editions, grids, people, cameras, patrols, incidents, audit."""

from data.migrations.running import run_folder

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_folder("0001")
