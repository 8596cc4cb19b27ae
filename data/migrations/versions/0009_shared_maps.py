"""Maps by grid and maps that leave the case team: counts by edition, and when they change."""

from data.migrations.running import run_folder

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_folder("0009")
