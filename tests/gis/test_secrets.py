"""Encryption of single values: bound to their place, readable after the keys were changed."""

from __future__ import annotations

import base64
import hmac
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.secrets import Key, KeyMissing, Keyring, ValueDamaged

if TYPE_CHECKING:
    from pathlib import Path

PLACE = "persons.phone:1"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "secrets.json"


def test_made_once_and_read_again(path: Path) -> None:
    sealed = Keyring.open(path).encrypt(b"13800000000", context=PLACE)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert Keyring.open(path).decrypt(sealed, context=PLACE) == b"13800000000"
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@given(plain=st.binary(max_size=200), context=st.text(max_size=50))
def test_round_trip_hides_the_value(plain: bytes, context: str) -> None:
    keyring = Keyring([_key(1)])
    sealed = keyring.encrypt(plain, context=context)
    assert keyring.decrypt(sealed, context=context) == plain
    assert keyring.encrypt(plain, context=context) != sealed
    assert len(plain) < 4 or plain not in sealed


@given(place=st.integers(0, 200), bit=st.integers(0, 7))
def test_any_changed_bit_is_noticed(place: int, bit: int) -> None:
    keyring = Keyring([_key(1)])
    sealed = bytearray(keyring.encrypt(b"13800000000", context=PLACE))
    sealed[place % len(sealed)] ^= 1 << bit
    with pytest.raises((ValueDamaged, KeyMissing)):
        keyring.decrypt(bytes(sealed), context=PLACE)


def test_value_cannot_be_moved_to_another_row() -> None:
    keyring = Keyring([_key(1)])
    with pytest.raises(ValueDamaged, match="moved"):
        keyring.decrypt(keyring.encrypt(b"1", context=PLACE), context="persons.phone:2")


def test_old_values_are_read_after_a_change_of_keys(path: Path) -> None:
    first = Keyring.open(path)
    old = first.encrypt(b"1", context=PLACE)
    found = first.search_hash("1", kind="phone")
    first.with_new_key().save(path)
    second = Keyring.open(path)
    assert second.newest_id != first.newest_id
    assert second.decrypt(old, context=PLACE) == b"1"
    assert second.search_hash("1", kind="phone") != found
    assert second.search_hashes("1", kind="phone")[1:] == [found]
    assert found not in second.only_newest().search_hashes("1", kind="phone")
    with pytest.raises(KeyMissing, match="missing"):
        second.only_newest().decrypt(old, context=PLACE)


def test_hash_tells_kinds_apart_and_needs_the_key() -> None:
    one, other = Keyring([_key(1)]), Keyring([_key(2)])
    assert one.search_hash("1", kind="phone") != one.search_hash("1", kind="id_number")
    assert one.search_hash("1", kind="phone") != other.search_hash("1", kind="phone")


def test_file_of_the_first_format_finds_what_it_hashed(path: Path) -> None:
    path.parent.mkdir()
    path.touch(mode=0o600)
    pair = {"id": "01020304", "key": base64.b64encode(b"k" * 32).decode()}
    search = base64.b64encode(b"s" * 32).decode()
    path.write_text(json.dumps({"format": "wangge-keys-1", "keys": [pair], "search_key": search}))
    old = hmac.digest(b"s" * 32, b"phone\x001", "sha256")
    keyring = Keyring.open(path)
    assert keyring.search_hash("1", kind="phone") == old
    keyring.with_new_key().save(path)
    assert Keyring.open(path).search_hashes("1", kind="phone")[1:] == [old]


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "null", '{"keys": [], "search_key": ""}', "\x00",
     json.dumps({"keys": [{"id": "00", "key": "YQ=="}], "search_key": "YQ=="})],
)  # fmt: skip
def test_file_that_is_none_is_refused(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.touch(mode=0o600)
    path.write_text(text)
    with pytest.raises(KeyMissing):
        Keyring.open(path)


def test_file_open_to_others_is_refused(path: Path) -> None:
    Keyring.open(path)
    path.chmod(0o640)
    with pytest.raises(KeyMissing, match="chmod 600"):
        Keyring.open(path)


def _key(number: int) -> Key:
    return Key(bytes([number] * 4), bytes([number] * 32), bytes([number + 100] * 32))
