"""Which passwords are taken, and how they are compared."""

from __future__ import annotations

import threading

import pytest

from boundaries.accounts import passwords
from gis.errors import BadInput, TooMany

GOOD = [
    "copper-ferry-lantern-91",
    "四个 互不 相关 的词语在一起",
    "velvet orchard in the rain",
    "x7#Kq2!mZp9&Lw",
]


def refusal(password: str) -> str:
    with pytest.raises(BadInput) as caught:
        passwords.check(password, login="wang.yi", name="王一")
    assert {problem.field for problem in caught.value.problems} == {"new"}
    assert not password or password not in str(caught.value), "a refusal repeats no password"
    return str(caught.value)


@pytest.mark.parametrize("password", GOOD)
def test_taken_whatever_kinds_of_characters_it_has(password: str) -> None:
    passwords.check(password, login="wang.yi", name="王一")


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("", "shorter"), ("elevenchars", "shorter"), ("x" * 129, "longer"),
        ("aaaaaaaaaaaaaa", "repeats"), ("abababababab", "repeats"),
        ("123456789012", "follows"), ("abcdefghijklm", "follows"),
        ("qwertyuiopasdfghjkl", "follows"),
        ("0987654321098", "follows"), ("1qaz2wsx3edc4rfv", "follows"),
        ("password1234", "guessed first"), ("Password2026!!", "guessed first"),
        ("P@$$w0rd1234", "guessed first"), ("iloveyou123456", "guessed first"),
        ("dragondragon", "guessed first"), ("1234567890qwerty", "follows|guessed first"),
        ("wang.yi-20261", "guessed first"), ("Wangge#2026#11", "guessed first"),
        ("wangge123456789", "guessed first"), ("2026-11-25-2026", "guessed first|repeats"),
    ],
)  # fmt: skip
def test_refused_with_the_reason(password: str, words: str) -> None:
    text = refusal(password)
    assert any(each in text for each in words.split("|")), text


def test_the_list_is_as_long_as_asvs_asks() -> None:
    whole, stems = passwords._common()
    assert len(stems) >= 3000
    for password in sorted(whole):
        refusal(password)


def test_kept_as_argon2id_and_compared() -> None:
    kept = passwords.hash_password(GOOD[0])
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert passwords.matches(kept, GOOD[0])
    assert not passwords.matches(kept, GOOD[0] + " ")
    assert not passwords.matches(kept, "")
    assert not passwords.matches("no hash at all", GOOD[0])
    assert not passwords.is_outdated(kept)
    assert passwords.is_outdated(kept.replace("m=65536", "m=4096"))


def test_the_same_keys_on_another_machine_give_the_same_password() -> None:
    # A full-width letter of an input method, and an accent that stands apart.
    kept = passwords.hash_password("café-ferry-lantern-９１")
    assert passwords.matches(kept, "cafe\u0301-ferry-lantern-91")


def test_nobody_s_password_is_compared_too(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []
    real = passwords._hasher

    class Watched:
        def verify(self, kept: str, password: str) -> bool:
            compared.append(kept)
            return real.verify(kept, password)

    passwords._nobodys()
    monkeypatch.setattr(passwords, "_hasher", Watched())
    assert not passwords.matches(None, GOOD[0])
    assert len(compared) == 1
    assert compared[0].startswith("$argon2id$v=19$m=65536,t=3,p=4$"), "at the same cost"


def test_few_are_worked_on_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes 64 MiB: a flood of sign-ins must not take them all at the same time."""
    monkeypatch.setattr(passwords, "PATIENCE_S", 0.05)
    running, most, lock = 0, 0, threading.Lock()
    inside, go_on = threading.Semaphore(0), threading.Event()

    class Slow:
        def hash(self, _password: str) -> str:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            inside.release()
            go_on.wait(30)
            with lock:
                running -= 1
            return "hash"

    monkeypatch.setattr(passwords, "_hasher", Slow())
    threads = [
        threading.Thread(target=passwords.hash_password, args=("x",))
        for _ in range(passwords.AT_ONCE)
    ]
    for thread in threads:
        thread.start()
    for _ in threads:
        inside.acquire()
    with pytest.raises(TooMany, match="too many people"):
        passwords.hash_password("one more")
    go_on.set()
    for thread in threads:
        thread.join()
    assert most == passwords.AT_ONCE
    assert passwords.hash_password("again") == "hash", "a turn is given back"


def test_one_time_passwords_differ_and_pass_the_rules() -> None:
    made = {passwords.one_time() for _ in range(200)}
    assert len(made) == 200
    for password in made:
        passwords.check(password, login="wang.yi", name="王一")
