"""Addresses: places, house numbers, the names they are found by, and what people decided."""

from data.migrations.running import run_folder

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_folder("0005")
