"""What became of each grid when an edition took the place of another."""

from data.migrations.running import run_folder

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_folder("0004")
