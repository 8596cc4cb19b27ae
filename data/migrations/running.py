"""Run the SQL files of one migration."""

from importlib.resources import files
from typing import Any

from alembic import op


def run_folder(name: str) -> None:
    """Run every file of ``sql/<name>`` in the order of their names."""
    folder = files("data.migrations").joinpath(f"sql/{name}")
    parts = sorted(folder.iterdir(), key=lambda path: path.name)
    # On the driver itself: the text has colons and percent signs that are no placeholders.
    driver: Any = op.get_bind().connection.driver_connection
    for part in parts:
        driver.execute(part.read_text(encoding="utf-8"))
