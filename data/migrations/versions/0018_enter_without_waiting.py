"""Requests of one key or session no longer wait for each other at the door."""

from data.migrations.running import run_folder

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_folder("0018")
