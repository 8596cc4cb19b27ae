"""Who may see and change what: accounts, roles, areas of rows, row-level security."""

from data.migrations.running import run_folder

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_folder("0002")
