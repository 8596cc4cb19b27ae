"""Shapes of sessions, accounts, keys and grants."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from api.schemas.incidents import Text
from boundaries.accounts import credentials, passwords, service
from boundaries.accounts.models import Account, ApiKey, AreaGrant, SignedIn

Area = Annotated[
    str, StringConstraints(pattern=r"^([0-9]{2}|[0-9]{4}|[0-9]{6}|[0-9]{9}|[0-9]{12})?$")
]
Login = Annotated[str, StringConstraints(min_length=1, max_length=200)]
# As long as it may be, and then some: one that is too long is told so, with the rule.
Password = Annotated[SecretStr, Field(max_length=2 * passwords.LONGEST)]
Code = Annotated[str, StringConstraints(max_length=40)]
Reason = Annotated[Text, StringConstraints(max_length=500)]


class Strict(BaseModel):
    """A body in which a field that is misspelt is told, not overlooked."""

    model_config = ConfigDict(extra="forbid")


class SignInBody(Strict):
    """Who signs in, with what; ``code`` where the account has a second factor."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"login": "wang.yi", "password": "copper ferry lantern", "code": "123456"}
        },
    )

    login: Login
    password: Password
    code: Code | None = None


class PasswordBody(Strict):
    """The present password and the one that takes its place."""

    current: Password
    new: Password


class ConfirmBody(Strict):
    """The present password, asked for again before something weighty."""

    current: Password


class CodeBody(Strict):
    """A code of an authenticator, six figures."""

    code: Code


class Names(BaseModel):
    """A name in both languages."""

    zh: str
    en: str


class DeviceOut(BaseModel):
    """A device on which the account is signed in."""

    id: uuid.UUID
    is_this: bool
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    second_factor: bool
    address: str
    agent: str

    @classmethod
    def of(cls, session: SignedIn, this: uuid.UUID | None) -> Self:
        """As it is shown to its owner."""
        return cls(
            is_this=session.id == this,
            **{name: getattr(session, name) for name in cls.model_fields if name != "is_this"},
        )


class DevicesOut(BaseModel):
    """The account's devices, the last seen first."""

    sessions: list[DeviceOut]


class EndedOut(BaseModel):
    """How many sessions were ended."""

    ended: int


class TotpOut(BaseModel):
    """A new secret for an authenticator; it is on once a first code has confirmed it."""

    secret: str
    address: str = Field(description="otpauth: address, for the authenticator")
    qr: list[str] = Field(description="The address as a QR code: rows of 1 (dark) and 0")


class RecoveryOut(BaseModel):
    """Codes for a lost device, each for one use; told once."""

    recovery_codes: list[str]


class AccountBody(Strict):
    """A new account. Its role is for the security administrator to give."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"login": "wang.yi", "name": "王一", "area_code": ""}},
    )

    login: Login
    name: Annotated[Text, StringConstraints(min_length=1, max_length=100)]
    area_code: Area = Field(description="Code of its unit; '' for the whole installation")
    person_id: uuid.UUID | None = None
    valid_until: AwareDatetime | None = None
    external_subject: Annotated[Text, StringConstraints(max_length=255)] | None = Field(
        default=None, description="Whom the OpenID provider calls so"
    )
    with_password: bool = Field(default=True, description="False for programs")


class AccountOut(BaseModel):
    """An account as its administrators see it."""

    id: uuid.UUID
    login: str
    name: str
    role: str | None
    area_code: str
    person_id: uuid.UUID | None
    valid_until: datetime | None
    disabled_at: datetime | None
    locked_until: datetime | None
    must_change_password: bool
    password_set_at: datetime | None
    has_second_factor: bool
    last_signed_in_at: datetime | None
    created_at: datetime
    created_by: str

    @classmethod
    def of(cls, account: Account, locked_until: datetime | None = None) -> Self:
        """As its administrators see it."""
        return cls(
            id=account.id,
            login=account.login,
            name=account.name,
            role=account.role,
            area_code=account.area_code,
            person_id=account.person_id,
            valid_until=service.valid_until(account),
            disabled_at=account.disabled_at,
            locked_until=locked_until,
            must_change_password=account.must_change_password,
            password_set_at=account.password_set_at,
            has_second_factor=account.totp_confirmed_at is not None,
            last_signed_in_at=account.last_signed_in_at,
            created_at=account.created_at,
            created_by=account.created_by,
        )


class AccountsOut(BaseModel):
    """Accounts of the caller's area, by login."""

    accounts: list[AccountOut]


class NewAccountOut(AccountOut):
    """A new account, or one with a new one-time password, which is told once."""

    one_time_password: str | None

    @classmethod
    def with_password(cls, account: Account, password: str | None) -> Self:
        """The account, and what is told once."""
        return cls(**AccountOut.of(account).model_dump(), one_time_password=password)


class RoleBody(Strict):
    """What an account is from now on, and where; null takes its role away."""

    role: Annotated[str, StringConstraints(max_length=40)] | None
    area_code: Area


class StateBody(Strict):
    """Whether an account is shut out."""

    disabled: bool


class KeyBody(Strict):
    """A new API key for a program's account."""

    login: Login
    name: Annotated[Text, StringConstraints(min_length=1, max_length=100)]
    days: int = Field(default=90, ge=1, le=credentials.LONGEST.days)
    per_minute: int = Field(default=credentials.PER_MINUTE, ge=1, le=credentials.MOST_PER_MINUTE)
    rights: list[Annotated[str, StringConstraints(max_length=40)]] | None = Field(
        default=None, max_length=100, description="Fewer than the account's; null: the account's"
    )
    area_code: Area | None = Field(
        default=None, description="A smaller area than the account's; null: the account's"
    )


class KeyOut(BaseModel):
    """An API key, without the key itself."""

    id: uuid.UUID
    login: str
    name: str
    rights: list[str] | None
    area_code: str | None
    per_minute: int
    expires_at: datetime
    last_used_at: datetime | None
    created_at: datetime
    created_by: str
    ended_at: datetime | None
    ended_by: str | None

    @classmethod
    def of(cls, key: ApiKey, login: str) -> Self:
        """As it is listed."""
        return cls(
            login=login,
            **{
                name: getattr(key, name)
                for name in cls.model_fields
                if name not in {"login", "key"}
            },
        )


class NewKeyOut(KeyOut):
    """A new API key with the key itself, which is told once."""

    key: str

    @classmethod
    def told(cls, key: ApiKey, login: str, secret: str) -> Self:
        """The key, told once."""
        return cls(key=secret, **KeyOut.of(key, login).model_dump())


class KeysOut(BaseModel):
    """API keys, the newest first."""

    keys: list[KeyOut]


class GrantBody(Strict):
    """Access to another area for a time."""

    login: Login
    area_code: Area
    reason: Reason
    until: AwareDatetime
    since: AwareDatetime | None = None


class GlassBody(Strict):
    """Access to another area at once, for oneself; the security administrator is told."""

    area_code: Area
    reason: Reason
    minutes: int = Field(default=60, ge=1, le=240)


class GrantOut(BaseModel):
    """Access to another area for a time."""

    id: uuid.UUID
    login: str
    area_code: str
    kind: str
    reason: str
    since: datetime
    until: datetime
    given_by: str
    ended_at: datetime | None
    ended_by: str | None
    seen_at: datetime | None
    seen_by: str | None

    @classmethod
    def of(cls, grant: AreaGrant, login: str) -> Self:
        """As it is listed."""
        apart = {"login": login, "since": grant.valid.lower, "until": grant.valid.upper}
        same = {name: getattr(grant, name) for name in cls.model_fields if name not in apart}
        return cls.model_validate(apart | same)


class GrantsOut(BaseModel):
    """Grants, the newest first; ``unseen`` counts broken glass that nobody has looked at."""

    grants: list[GrantOut]
    unseen: int
