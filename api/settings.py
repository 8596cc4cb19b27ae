"""How the server listens and what it may be asked for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from boundaries.accounts.signing_in import Limits
from boundaries.accounts.totp import MOST_OFF_S

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class ServerSettings(BaseSettings):
    """The HTTP service."""

    # Errors do not repeat what was given: it may be a secret.
    model_config = SettingsConfigDict(env_prefix="WANGGE_", hide_input_in_errors=True)

    host: str = Field(
        default="127.0.0.1",
        description="Address to listen on; another than this machine's own needs TLS, or a proxy "
        "that has it",
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

    export_free_rows: int = Field(
        default=500, ge=0, description="Exports of more rows wait for somebody else's approval"
    )
    tls_cert: Path | None = Field(
        default=None, description="Certificate (PEM, with its chain) to speak HTTPS with"
    )
    tls_key: Path | None = Field(default=None, description="Private key of the certificate (PEM)")
    behind_proxy: bool = Field(
        default=False,
        description="A reverse proxy with HTTPS is in front, and nothing else reaches the port: "
        "the last X-Forwarded-Proto and X-Forwarded-For are believed",
    )
    session_hours: float = Field(
        default=12, gt=0, le=24, description="A session ends after these hours, used or not"
    )
    session_idle_minutes: float = Field(
        default=30, ge=1, le=24 * 60, description="A session ends after these minutes unused"
    )

    totp_off_s: float = Field(
        default=0,
        ge=0,
        le=MOST_OFF_S,
        description="Seconds that this machine's clock may be off from a phone's when codes of a "
        "second factor are checked; more than 0 only where no time service is within reach",
    )

    oidc_issuer: str | None = Field(
        default=None, description="OpenID provider that people may sign in through, https://..."
    )
    oidc_client_id: str = Field(default="wangge", description="What the provider calls us")
    oidc_client_secret: SecretStr | None = Field(
        default=None, description="Our secret with the provider"
    )
    oidc_redirect_uri: str | None = Field(
        default=None, description="Our address with the provider: https://.../api/v1/oidc/callback"
    )
    oidc_name: str = Field(default="OpenID", description="What the page calls the provider")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError(f"'{name}' is no time zone; write one like Asia/Shanghai")
        return name

    @model_validator(mode="after")
    def _provider_is_whole(self) -> Self:
        if self.oidc_issuer is None:
            return self
        if self.oidc_client_secret is None or self.oidc_redirect_uri is None:
            raise ValueError(
                "WANGGE_OIDC_ISSUER needs WANGGE_OIDC_CLIENT_SECRET and WANGGE_OIDC_REDIRECT_URI"
            )
        for name in ("oidc_issuer", "oidc_redirect_uri"):
            parts = urlsplit(str(getattr(self, name)))
            is_here = parts.scheme == "http" and parts.hostname in LOOPBACK
            if not (parts.hostname and (parts.scheme == "https" or is_here)):
                raise ValueError(f"WANGGE_{name.upper()} is no address with https://")
        return self

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can ask."""
        return self.host in LOOPBACK

    @property
    def has_tls(self) -> bool:
        """Whether the service itself speaks HTTPS."""
        return self.tls_cert is not None

    @property
    def sign_in_limits(self) -> Limits:
        """How long a session lasts, and how far a clock may be off."""
        return Limits(
            lasts=timedelta(hours=self.session_hours),
            idle=timedelta(minutes=self.session_idle_minutes),
            code_off_s=self.totp_off_s,
        )

    @model_validator(mode="after")
    def _passwords_travel_encrypted(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("a certificate and its key come together: set both, or neither")
        if not (self.is_loopback or self.has_tls or self.behind_proxy):
            raise ValueError(
                f"WANGGE_HOST={self.host}: cannot listen there without encryption: passwords "
                "and names of workers would cross the network for everybody to read. Set "
                "WANGGE_TLS_CERT and WANGGE_TLS_KEY, or put a reverse proxy with HTTPS in front "
                "and set WANGGE_BEHIND_PROXY=true"
            )
        return self
