"""Plans judge grids by the norm of their area type where none was asked for."""

from data.migrations.running import run_folder

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_folder("0011")
