"""Passwords: which are taken, how they are kept, and how one is checked in constant time.

Kept as Argon2id with 64 MiB each, so only a few are worked on at once. Rules after NIST SP 800-63B
and ASVS 5.0: length and commonness count, which kinds of characters it has does not.
"""

from __future__ import annotations

import re
import secrets
import string
import unicodedata
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gis.errors import BadInput, Problem, TooMany

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORTEST: Final = 12
LONGEST: Final = 128
AT_ONCE: Final = 3
"""Passwords worked on at once in one process: 64 MiB each."""
PATIENCE_S: Final = 10.0
ONE_TIME_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without what is easily mistaken for something else on paper: i, l, o, 0, 1."""
FEWEST_CHARACTERS: Final = 5
RUNS: Final = (
    "01234567890", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
)  # fmt: skip
OURS: Final = frozenset({"wangge", "网格"})
LEET: Final = str.maketrans("@4310$57!", "aaeiosstl")

# RFC 9106's second recommendation: three passes over 64 MiB.
_hasher = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4)
_turns = BoundedSemaphore(AT_ONCE)


@contextmanager
def _turn() -> Iterator[None]:
    if not _turns.acquire(timeout=PATIENCE_S):
        raise TooMany("too many people are signing in at this moment", 5)
    try:
        yield
    finally:
        _turns.release()


def normal(password: str) -> str:
    """The same characters for the same keys on every machine (NFKC)."""
    return unicodedata.normalize("NFKC", password)


def hash_password(password: str) -> str:
    """A password as it is kept.

    Raises
    ------
    TooMany
        Too many are worked on already.
    """
    with _turn():
        return _hasher.hash(normal(password))


def matches(kept: str | None, password: str) -> bool:
    """Whether a password is the one that is kept; takes as long when none is kept.

    Raises
    ------
    TooMany
        Too many are worked on already.
    """
    if len(password) > LONGEST:
        return False
    with _turn():
        try:
            _hasher.verify(kept or _nobodys(), normal(password))
        except (VerificationError, InvalidHashError):
            return False
    return kept is not None


def is_outdated(kept: str) -> bool:
    """Whether it was hashed at a lower cost than today's."""
    return _hasher.check_needs_rehash(kept)


@cache
def _nobodys() -> str:
    """A hash that no password has, to compare with where there is no account."""
    return _hasher.hash(secrets.token_urlsafe(32))


def one_time() -> str:
    """A password for one use, easy to read out: four groups of four, 79 bits."""
    return "-".join("".join(secrets.choice(ONE_TIME_LETTERS) for _ in range(4)) for _ in range(4))


def check(password: str, *, login: str, name: str, field: str = "new") -> None:
    """Refuse a password that is too short, too long, common, or made of what is known of its owner.

    Raises
    ------
    BadInput
        Says why; never repeats it.
    """
    problems = [
        Problem(reason, remedy, field=field)
        for reason, remedy in _weaknesses(normal(password), login=login, name=name)
    ]
    if problems:
        raise BadInput(problems)


def _weaknesses(password: str, *, login: str, name: str) -> Iterator[tuple[str, str]]:
    if len(password) < SHORTEST:
        yield (
            f"the password is shorter than {SHORTEST} characters",
            "Four words that do not belong together are easy to keep in mind",
        )
        return
    if len(password) > LONGEST:
        yield f"the password is longer than {LONGEST} characters", "Take a shorter one"
        return
    low = password.casefold()
    if len(set(low)) < FEWEST_CHARACTERS:
        yield "the password repeats a few characters", "Use more different ones"
    elif _is_run(low):
        yield "the password follows the alphabet, the figures or the keyboard", "Take words instead"
    elif _is_common(low, {login.casefold(), *login.casefold().split("."), name.casefold()}):
        yield (
            "the password is guessed first, or a login, name or common word with something added",
            "Take several words that do not belong together",
        )


def _is_run(low: str) -> bool:
    """Whether hardly more than pieces of rows of keys, forwards or backwards."""
    rest = low
    for run in RUNS:
        for row in (run * 2, run[::-1] * 2):
            for size in range(min(len(rest), 20), 3, -1):
                for start in range(len(run)):
                    rest = rest.replace(row[start : start + size], "")
    return len(rest) <= len(low) // 4


def _is_common(low: str, own: set[str]) -> bool:
    """Whether in the list, or a common word with figures and signs around it."""
    whole, words = _common()
    if low in whole:
        return True
    # The same again, and again: one time is what counts.
    repeated = re.fullmatch(r"(.+?)\1+", low)
    bare = low.strip(string.digits + string.punctuation).translate(LEET)
    for text in {low, bare, repeated[1] if repeated else low}:
        core = "".join(re.findall(r"[^\W\d_]+", text))
        known = {each for each in own if len(each) > 1} | OURS
        for each in sorted(known, key=len, reverse=True):
            core = core.replace("".join(re.findall(r"[^\W\d_]+", each)) or each, "")
        if len(core) < 4 or core in words or core in whole:
            return True
    return False


@cache
def _common() -> tuple[frozenset[str], frozenset[str]]:
    text = files("boundaries.accounts").joinpath("common_passwords.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return (
        frozenset(line for line in lines if len(line) >= SHORTEST),
        frozenset(line for line in lines if len(line) < SHORTEST),
    )
