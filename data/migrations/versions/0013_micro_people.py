"""People of micro grids answer too; lists of incidents are counted without reading their rows."""

from data.migrations.running import run_folder

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_folder("0013")
