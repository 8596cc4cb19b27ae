"""What the service may be told, and what it refuses to be told."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from api.settings import ServerSettings


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_loopback_is_taken(host: str) -> None:
    assert ServerSettings(host=host).host == host


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "", "192.168.1.5", "example.com", "127.0.0.1.example.com", "::ffff:1"]
)
def test_any_other_host_is_refused_with_the_reason(host: str) -> None:
    with pytest.raises(ValidationError, match="without encryption") as caught:
        ServerSettings(host=host)
    assert "reverse proxy" in str(caught.value)


def test_host_of_the_environment_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANGGE_HOST", "0.0.0.0")
    with pytest.raises(ValidationError, match="without encryption"):
        ServerSettings()


@pytest.mark.parametrize(
    "more", [{"behind_proxy": True}, {"tls_cert": "cert.pem", "tls_key": "key.pem"}]
)
def test_any_host_is_taken_when_what_is_said_travels_encrypted(more: dict[str, Any]) -> None:
    assert not ServerSettings(host="0.0.0.0", **more).is_loopback


@pytest.mark.parametrize("name", ["tls_cert", "tls_key"])
def test_a_certificate_comes_with_its_key(name: str) -> None:
    with pytest.raises(ValidationError, match="come together"):
        ServerSettings(**{name: "file.pem"})  # type: ignore[arg-type]


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "asia/shanghai"])
def test_unknown_zone(zone: str) -> None:
    with pytest.raises(ValidationError, match="Asia/Shanghai"):
        ServerSettings(timezone=zone)


@pytest.mark.parametrize("port", [0, 65536, -1, "http"])
def test_no_port(port: object) -> None:
    with pytest.raises(ValidationError):
        ServerSettings(port=port)  # type: ignore[arg-type]


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANGGE_PORT", "8123")
    monkeypatch.setenv("WANGGE_TIMEZONE", "UTC")
    settings = ServerSettings()
    assert (settings.port, settings.timezone) == (8123, "UTC")
