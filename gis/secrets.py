"""Encryption of the few values that must never lie in plain text: phones, id numbers, TOTP secrets.

AES-256-GCM by ``cryptography``, with keys in a file outside the database. A value is bound to its
context (table, column, row), so that it cannot be moved to another row unnoticed. Its first bytes
name the key, so that keys can be changed while old values are still read.

::

    version (1) | key id (4) | nonce (12) | ciphertext and tag (n + 16)
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gis.errors import Unavailable

VERSION: Final = b"\x01"
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
ID_BYTES: Final = 4


class KeyMissing(Unavailable):
    """The keys are not there, or not the one that a value was encrypted with."""


class ValueDamaged(Unavailable):
    """A value was changed, moved to another row, or is none of ours."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key: an id that values name, 32 random bytes that encrypt, and 32 that hash."""

    id: bytes
    secret: bytes
    search: bytes


class Keyring:
    """The keys of an installation, the newest first; it encrypts and hashes with that one.

    A value and the keyed hash that it is found by are always of one key, so they change together.
    """

    def __init__(self, keys: list[Key]) -> None:
        self._keys = keys

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read the keys of a file; make the file, readable by its owner only, when it is missing.

        Raises
        ------
        KeyMissing
            It cannot be read, is no key file, or is open to other accounts of the machine.
        """
        try:
            if not path.exists():
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                made = cls([_new_key()])
                made.save(path, new=True)
                return made
            if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise KeyMissing(
                    f"{path} is open to other accounts of this machine: chmod 600 it, and change "
                    "the keys (wangge secrets rotate) if it was for long"
                )
            document = json.loads(path.read_text(encoding="ascii"))
            # Files of the first format had one key to search by.
            keys = [
                Key(
                    bytes.fromhex(each["id"]),
                    base64.b64decode(each["key"]),
                    base64.b64decode(each.get("search") or document["search_key"]),
                )
                for each in document["keys"]
            ]
        except FileExistsError:
            return cls.open(path)  # another process made it just now
        except OSError as error:
            raise KeyMissing(f"the keys in {path} cannot be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise KeyMissing(f"{path} is no key file of wangge's") from error
        if not keys or any(len(key.secret) != KEY_BYTES or not key.search for key in keys):
            raise KeyMissing(f"{path} holds no usable key")
        return cls(keys)

    def save(self, path: Path, *, new: bool = False) -> None:
        """Write the keys, whole or not at all; ``new`` refuses a file that is there."""
        text = json.dumps(
            {
                "format": "wangge-keys-2",
                "keys": [
                    {
                        "id": key.id.hex(),
                        "key": base64.b64encode(key.secret).decode(),
                        "search": base64.b64encode(key.search).decode(),
                    }
                    for key in self._keys
                ],
            },
            indent=1,
        )
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        try:
            if new:
                path.hardlink_to(beside)
            else:
                beside.rename(path)
        finally:
            beside.unlink(missing_ok=True)

    def with_new_key(self) -> Keyring:
        """The same keys with a fresh one before them."""
        return Keyring([_new_key(), *self._keys])

    def only_newest(self) -> Keyring:
        """The newest key alone, once no value names another."""
        return Keyring(self._keys[:1])

    @property
    def newest_id(self) -> bytes:
        """Id of the key that values are encrypted with now."""
        return self._keys[0].id

    def encrypt(self, plain: bytes, *, context: str) -> bytes:
        """Encrypt a value; ``context`` names its place, such as ``persons.phone:<id>``."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        key = self._keys[0]
        sealed = AESGCM(key.secret).encrypt(nonce, plain, context.encode())
        return VERSION + key.id + nonce + sealed

    def decrypt(self, value: bytes, *, context: str) -> bytes:
        """The value that was encrypted for this context.

        Raises
        ------
        KeyMissing
            The key it names is not among ours.
        ValueDamaged
            It was changed, or belongs to another context.
        """
        head = 1 + ID_BYTES + NONCE_BYTES
        if len(value) < head + 16 or value[:1] != VERSION:
            raise ValueDamaged(f"the value of {context} is none of wangge's")
        named = value[1 : 1 + ID_BYTES]
        for key in self._keys:
            if key.id == named:
                break
        else:
            raise KeyMissing(f"the key {named.hex()} that {context} was encrypted with is missing")
        try:
            return AESGCM(key.secret).decrypt(
                value[1 + ID_BYTES : head], value[head:], context.encode()
            )
        except InvalidTag:
            raise ValueDamaged(f"the value of {context} was changed or moved") from None

    def search_hash(self, text: str, *, kind: str) -> bytes:
        """Keyed hash of a normalised value, to keep; ``kind`` keeps phones from ids."""
        return _search_hash(self._keys[0], text, kind)

    def search_hashes(self, text: str, *, kind: str) -> list[bytes]:
        """Every hash that a normalised value may be kept under, the newest key's first."""
        return [_search_hash(key, text, kind) for key in self._keys]


def _search_hash(key: Key, text: str, kind: str) -> bytes:
    return hmac.digest(key.search, f"{kind}\0{text}".encode(), hashlib.sha256)


def _new_key() -> Key:
    secret, search = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(KEY_BYTES)
    return Key(secrets.token_bytes(ID_BYTES), secret, search)
