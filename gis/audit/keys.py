"""The key that anchors are signed with: a file outside the database, made at first use."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from gis.errors import BadInput, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PUBLIC_SUFFIX = ".pub"


def signing_key(path: Path) -> Ed25519PrivateKey:
    """The key of a file; a new one where there is no file, for its owner's eyes only.

    Its public half is written beside it, to be handed to whoever verifies.

    Raises
    ------
    BadInput
        The file holds no Ed25519 key.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        _make(path)
    key = _load(path)
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path)
    return key


def _make(path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    # Under another name first: nobody reads half a key, and of two that are made one stays.
    half = path.with_name(f"{path.name}.{os.getpid()}.new")
    with os.fdopen(os.open(half, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(half, path)
    except FileExistsError:
        return
    finally:
        half.unlink()
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    path.with_name(path.name + PUBLIC_SUFFIX).write_bytes(public)


def _load(path: Path) -> object:
    text = path.read_bytes()
    try:
        if b"PRIVATE" in text:
            return serialization.load_pem_private_key(text, None)
        return serialization.load_pem_public_key(text)
    except (ValueError, TypeError) as error:
        raise _no_key(path) from error


def _no_key(path: Path) -> BadInput:
    return BadInput(Problem("it holds no Ed25519 key", "Give a PEM file of one", source=str(path)))


def public_keys(paths: Iterable[Path]) -> set[bytes]:
    """Public keys of files that hold a key or its public half; those that are missing are not."""
    found = set()
    for path in paths:
        if path.exists():
            key = _load(path)
            public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
            if not isinstance(public, Ed25519PublicKey):
                raise _no_key(path)
            found.add(public.public_bytes_raw())
    return found
