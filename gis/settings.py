"""Where the database is and how patient we are with it: read from the environment once."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from gis.secret_files import SecretSettings


def default_data_dir() -> Path:
    """Where the embedded cluster lives unless told otherwise.

    Root runs PostgreSQL as another account, which cannot enter a 0700 home: hence ``/var/lib``.
    """
    if os.geteuid() == 0:
        return Path("/var/lib/wangge")
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "wangge"


class AuditSettings(BaseSettings):
    """The audit log's anchors: the key that signs them, and where else they are written."""

    model_config = SettingsConfigDict(env_prefix="WANGGE_")

    audit_key: Path | None = Field(
        default=None,
        description="File of the Ed25519 key that signs anchors; unset: keys/audit.key in the "
        "data folder, made at first use",
    )
    anchor_dir: Path | None = Field(
        default=None,
        description="Second folder that anchors are written to, best on a disk or server that the "
        "database's administrators cannot write to",
    )
    anchor_every_s: float = Field(
        default=300, ge=1, le=86_400, description="Seconds between two anchors while serving"
    )


class DatabaseSettings(SecretSettings):
    """The database: a foreign one by its URL, else the embedded cluster in ``data_dir``."""

    model_config = SettingsConfigDict(env_prefix="WANGGE_")

    database_url: SecretStr | None = Field(
        default=None,
        description="postgresql://user:password@host/name of a foreign database; unset: embedded",
    )
    service_database_url: SecretStr | None = Field(
        default=None,
        description="The same database as the role wangge_app, for requests over HTTP; unset: the "
        "owner's connection takes that role",
    )
    data_dir: Path = Field(
        default_factory=default_data_dir, description="Folder of the embedded cluster"
    )
    secrets_file: Path | None = Field(
        default=None,
        description="Keys that phones and id numbers are encrypted with; keys/secrets.json in the "
        "data folder when unset. Not part of a backup: keep a copy elsewhere",
    )
    pool_size: int = Field(default=8, ge=1, le=100, description="Connections kept per process")
    statement_timeout_s: float = Field(
        default=30,
        gt=0,
        le=3600,
        description="No statement runs longer: of the command line, and of heavy requests (maps)",
    )
    request_timeout_s: float = Field(
        default=10, gt=0, le=3600, description="No statement of any other request runs longer"
    )
    durable: bool = Field(
        default=True,
        description="False switches fsync off in the embedded cluster: for tests, never for data",
    )

    @property
    def secrets_path(self) -> Path:
        """Where the keys are."""
        return self.secrets_file or self.data_dir / "keys" / "secrets.json"
