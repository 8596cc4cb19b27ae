"""The highest number of a unit's grids by an index."""

from data.migrations.running import run_folder

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_folder("0008")
