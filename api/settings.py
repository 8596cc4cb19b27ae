"""How the server listens and what it may be asked for."""

from __future__ import annotations

from zoneinfo import available_timezones

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServerSettings(BaseSettings):
    """The HTTP service."""

    model_config = SettingsConfigDict(env_prefix="WANGGE_")

    host: str = Field(
        default="127.0.0.1",
        description="Address to listen on. This release has no accounts: loopback only",
    )
    port: int = Field(default=8000, ge=1, le=65535, description="Port to listen on")
    timezone: str = Field(
        default="Asia/Shanghai", description="IANA zone that dates are shown and read in"
    )
    max_body_bytes: int = Field(
        default=2 * 2**20, ge=1024, description="Largest body of a request, bytes"
    )
    max_concurrent: int = Field(
        default=100,
        ge=1,
        le=10_000,
        description="Requests worked on at once; those beyond are answered 503 with Retry-After",
    )

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError(f"'{name}' is no time zone; write one like Asia/Shanghai")
        return name

    @field_validator("host")
    @classmethod
    def _loopback(cls, host: str) -> str:
        if host not in {"127.0.0.1", "::1", "localhost"}:
            raise ValueError(
                f"cannot listen on {host}: this release has no accounts, and names of workers, "
                "patrol routes and cameras would be open to the network. "
                "Put a reverse proxy with its own sign-in in front, and keep 127.0.0.1 here"
            )
        return host
