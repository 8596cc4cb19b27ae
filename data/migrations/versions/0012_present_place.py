"""Incidents follow an edition by the place that a person gave them since."""

from data.migrations.running import run_folder

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_folder("0012")
