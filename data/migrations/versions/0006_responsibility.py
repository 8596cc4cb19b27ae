"""Who answers besides the grid: heads of units, leaders, departments, two rosters and a switch."""

from data.migrations.running import run_folder

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_folder("0006")
