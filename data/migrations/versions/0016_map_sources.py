"""Buildings, barriers and names of categories: what maps are made of besides incidents."""

from data.migrations.running import run_folder

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_folder("0016")
