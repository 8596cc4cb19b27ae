"""Plans: drafts that several people change, move by move, with undo, locks and approval."""

from data.migrations.running import run_folder

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_folder("0003")
