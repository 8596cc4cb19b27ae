"""Signs between figures tell what people said of one address from what they said of another.

They were left out of keys, so that what was said of 123号 ended what had been said of 12-3号. Keys
only become more different by it: none is there twice afterwards. What has ended stays ended, since
whether it ended by that or because somebody meant it is not told.
"""

from typing import Any

from alembic import op

from grids.addresses.parsing import whole_key

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute("ALTER TABLE address_aliases DISABLE TRIGGER address_aliases_ends_once")
    # By the function that searches: the keys of a table are those of the program that reads it.
    changed = [
        (made, number)
        for number, text, key in driver.execute("SELECT id, text, key FROM address_aliases")
        if (made := whole_key(text)) != key
    ]
    for each in changed:
        driver.execute("UPDATE address_aliases SET key = %s WHERE id = %s", each)
    driver.execute("ALTER TABLE address_aliases ENABLE TRIGGER address_aliases_ends_once")
