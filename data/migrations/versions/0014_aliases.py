"""What people said that an address means ends, and is no longer written over."""

from data.migrations.running import run_folder

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_folder("0014")
