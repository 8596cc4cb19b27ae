"""To whom an incident is given: exclusive grids first, and the departments that it is sent to."""

from data.migrations.running import run_folder

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_folder("0010")
