"""Incidents by their address: the area of one that waits for its place."""

from data.migrations.running import run_folder

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_folder("0007")
