"""The append-only, hash-chained record of who saw and changed what.

Services say ``record`` for what they change and ``read`` for personal data that they hand out; both
are kept with the session and written when its transaction commits, or the transaction fails. What
the log holds, what it proves and how is told in ``docs/audit.md``.
"""

from gis.audit.entries import (
    AuditEntry,
    Context,
    acting,
    come_in,
    county_of,
    flush,
    is_code,
    own_area,
    read,
    record,
)

__all__ = [
    "AuditEntry",
    "Context",
    "acting",
    "come_in",
    "county_of",
    "flush",
    "is_code",
    "own_area",
    "read",
    "record",
]
