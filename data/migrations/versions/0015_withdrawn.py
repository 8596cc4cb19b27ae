"""Editions that were published for a later day and taken back before it."""

from data.migrations.running import run_folder

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_folder("0015")
