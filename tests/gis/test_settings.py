"""Secrets come from the environment or a file each, and are shown nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gis.database import Database
from gis.errors import BadInput, Unavailable
from gis.settings import DatabaseSettings

if TYPE_CHECKING:
    from pathlib import Path

URL = "postgresql://wangge:s3cret@127.0.0.1:1/wangge"
VARIABLE = "WANGGE_DATABASE_URL"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (VARIABLE, f"{VARIABLE}_FILE", "WANGGE_SERVICE_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


def test_secret_is_read_from_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "url"
    file.write_text(f"{URL}\n", encoding="utf-8")
    monkeypatch.setenv(f"{VARIABLE}_FILE", str(file))
    settings = DatabaseSettings()
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == URL
    assert settings.service_database_url is None
    assert "s3cret" not in repr(settings)
    assert "s3cret" not in str(settings.model_dump())


def test_what_is_no_secret_has_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "size"
    file.write_text("3", encoding="utf-8")
    monkeypatch.setenv("WANGGE_POOL_SIZE_FILE", str(file))
    assert DatabaseSettings().pool_size == 8


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe\x00"])
def test_file_that_gives_nothing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    file = tmp_path / "url"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv(f"{VARIABLE}_FILE", str(file))
    with pytest.raises(BadInput) as refused:
        DatabaseSettings()
    assert refused.value.problems[0].field == f"{VARIABLE}_FILE"


def test_secret_in_two_places_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "url"
    file.write_text(URL, encoding="utf-8")
    monkeypatch.setenv(VARIABLE, URL)
    monkeypatch.setenv(f"{VARIABLE}_FILE", str(file))
    with pytest.raises(BadInput, match="set as well") as refused:
        DatabaseSettings()
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "postgresql://wangge@127.0.0.1:1/wangge?password=s3cret",
        "postgresql://wangge:s3cr@s3cret@127.0.0.1:1/wangge",
        "postgresql://wangge:s3cret@127.0.0.1:99999999/wangge",
        "mysql://wangge:s3cret@127.0.0.1/wangge",
        "s3cret",
    ],
)
def test_no_refusal_shows_a_password(url: str) -> None:
    with pytest.raises((BadInput, Unavailable)) as refused:
        Database.open(DatabaseSettings(database_url=url))  # type: ignore[arg-type]
    assert "s3cret" not in str(refused.value)


def test_password_given_as_a_parameter_is_used_and_not_shown() -> None:
    with pytest.raises(Unavailable) as refused:
        Database.open(
            DatabaseSettings(
                database_url="postgresql://wangge@127.0.0.1:1/wangge?password=s3cret&sslmode=prefer"  # type: ignore[arg-type]
            )
        )
    assert "wangge:***@127.0.0.1:1/wangge?sslmode=prefer" in str(refused.value)
