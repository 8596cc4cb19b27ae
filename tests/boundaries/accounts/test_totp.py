"""Codes of an authenticator against RFC 6238, clocks that are off, and recovery codes."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pyotp
import pytest

from boundaries.accounts import totp

# RFC 6238, appendix B, SHA-1: the last six of its eight digits.
RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()
RFC_CODES = {59: "287082", 1111111109: "081804", 1234567890: "005924", 20000000000: "353130"}


@pytest.mark.parametrize(("seconds", "code"), RFC_CODES.items())
def test_reference_values(seconds: int, code: str) -> None:
    moment = datetime.fromtimestamp(seconds, UTC)
    assert totp.step_of(RFC_SECRET, code, moment) == seconds // 30


@pytest.mark.parametrize("off", [-90, -60, -30, 0, 30, 60, 90])
def test_a_clock_that_is_off_by_as_much_as_is_forgiven_is_taken(off: int) -> None:
    secret, now = totp.new_secret(), datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
    theirs = now + timedelta(seconds=off)
    code = pyotp.TOTP(secret).at(theirs)
    assert totp.step_of(secret, code, now, off_s=90) == int(theirs.timestamp()) // 30
    assert (totp.step_of(secret, code, now) is None) == (off != 0)


@pytest.mark.parametrize(("second", "taken"), [(29, False), (30, True), (59.9, True), (60, False)])
def test_a_code_lives_thirty_seconds(second: float, taken: bool) -> None:
    code = RFC_CODES[59]
    assert (totp.step_of(RFC_SECRET, code, datetime.fromtimestamp(second, UTC)) == 1) == taken


@pytest.mark.parametrize("off", [-125, 125, -3600, 3600])
def test_a_clock_that_is_further_off_is_not(off: int) -> None:
    now = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
    code = pyotp.TOTP(RFC_SECRET).at(now + timedelta(seconds=off))
    assert totp.step_of(RFC_SECRET, code, now, off_s=totp.MOST_OFF_S) is None


@pytest.mark.parametrize(
    "code", ["", "00000", "abcdef", "２８７０８２", "0" * 500, "-1", "287082 "]
)
def test_what_is_no_code(code: str) -> None:
    assert totp.step_of(RFC_SECRET, code, datetime.fromtimestamp(59, UTC)) is None


def test_recovery_codes_differ_and_are_read_however_they_are_typed() -> None:
    codes = totp.new_recovery_codes()
    assert len(set(codes)) == totp.RECOVERY_CODES == 10
    kept = totp.recovery_hash(codes[0])
    assert totp.recovery_hash(f" {codes[0].upper().replace('-', ' ')} ") == kept
    assert totp.recovery_hash(codes[1]) != kept
    assert len(kept) == 32


def test_the_address_names_issuer_and_login_and_fits_a_qr_code() -> None:
    address = totp.address(RFC_SECRET, "wang.yi")
    assert address.startswith("otpauth://totp/wangge:wang.yi?secret=")
    rows = totp.qr_rows(address)
    assert len(rows) == len(rows[0]) >= 33
    # The three finders: a dark frame of seven.
    for row, left in ((0, 0), (0, len(rows) - 7), (len(rows) - 7, 0)):
        assert rows[row][left : left + 7] == "1111111"
