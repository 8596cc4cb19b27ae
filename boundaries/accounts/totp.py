"""The second factor: codes of an authenticator (RFC 6238), each taken once, and recovery codes."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Final

import pyotp
import segno

if TYPE_CHECKING:
    import uuid
    from datetime import datetime

STEP_S: Final = 30
MOST_OFF_S: Final = 90
"""What an installation may forgive a clock, seconds either way."""
DIGITS: Final = 6
RECOVERY_CODES: Final = 10
RECOVERY_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
ISSUER: Final = "wangge"


def new_secret() -> str:
    """A secret of 160 bits, in base 32 as authenticators take it."""
    return pyotp.random_base32()


def context(account: uuid.UUID) -> str:
    """What an encrypted secret is bound to."""
    return f"accounts.totp_secret:{account}"


def address(secret: str, login: str) -> str:
    """The ``otpauth:`` address that a QR code carries to an authenticator."""
    return pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name=ISSUER)


def step_of(secret: str, code: str, moment: datetime, *, off_s: float = 0) -> int | None:
    """The 30 s step that a code belongs to; None when it is wrong.

    Parameters
    ----------
    off_s
        Seconds that the clock which made the code may be off from ours, either way. With 0 a code
        lives its own 30 s.

    Every step in question is compared, whichever matches, in constant time.
    """
    totp, found = pyotp.TOTP(secret), None
    first, last = (int(moment.timestamp() + by) // STEP_S for by in (-off_s, off_s))
    for step in range(max(first, 0), last + 1):
        if hmac.compare_digest(totp.generate_otp(step).encode(), code.encode()):
            found = step
    return found


def new_recovery_codes() -> list[str]:
    """Codes to write down for a lost device, 79 bits each."""
    return [
        "-".join("".join(secrets.choice(RECOVERY_LETTERS) for _ in range(4)) for _ in range(4))
        for _ in range(RECOVERY_CODES)
    ]


def recovery_hash(code: str) -> bytes:
    """What is kept of a recovery code; they are random, so one round of SHA-256 will do."""
    letters = "".join(each for each in code.lower() if each.isalnum())
    return hashlib.sha256(b"recovery:" + letters.encode()).digest()


def plain_code(text: str) -> str:
    """A code as it was typed, without spaces and dashes."""
    return "".join(each for each in text if each.isalnum())


def qr_rows(address: str) -> list[str]:
    """An address as a QR code: rows of 1 (dark) and 0, without the border it is drawn with."""
    return [
        "".join("1" if dark else "0" for dark in row)
        for row in segno.make_qr(address, error="m").matrix
    ]
