"""Signing in through an OpenID provider: code flow with PKCE, state and nonce.

Authlib speaks OAuth 2, joserfc checks what the provider signed. Which algorithms are taken is fixed
here and never read from a token. No account is made by itself: whom the provider names needs one
whose ``external_subject`` is that name.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import time
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import httpx2
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from boundaries.accounts import signing_in
from boundaries.errors import SignInRefused
from gis.database import execute
from gis.errors import BadInput, Problem, Unavailable

if TYPE_CHECKING:
    from gis.database import Database
    from gis.secrets import Keyring

ALGORITHMS: Final = ("RS256", "PS256", "ES256")
SCOPE: Final = "openid"
CLOCKS_OFF_S: Final = 90
PATIENCE_S: Final = 10.0
KEPT_S: Final = 600.0
"""How long the provider's description and keys are kept, and a sign-in may take there."""
REASKED_S: Final = 30.0
"""Keys are asked for anew for a key that is not known, but no more often."""
LARGEST_ANSWER: Final = 1_000_000
STRONG: Final = frozenset({"mfa", "otp", "hwk", "swk", "sc", "fpt", "face", "iris"})
"""What a provider calls a second factor in ``amr`` (RFC 8176)."""
REFUSED: Final = "the provider did not confirm who you are, or you have no account here"


@dataclass(frozen=True, slots=True)
class Client:
    """What we are to the provider, and where it is."""

    issuer: str
    client_id: str
    client_secret: str
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the browser goes, and what it has to bring back with it."""

    address: str
    cookie: str


class Provider:
    """An OpenID provider; its description and keys are read when they are needed, and kept."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._lock = Lock()
        self._known: tuple[float, dict[str, Any], KeySet] | None = None

    def begin(self, keyring: Keyring) -> Begun:
        """Begin a sign-in.

        Raises
        ------
        Unavailable
            The provider does not answer, or not as one.
        """
        described, _ = self._describe()
        kept = {name: secrets.token_urlsafe(48) for name in ("state", "nonce", "verifier")}
        with self._oauth() as oauth:
            address, _ = oauth.create_authorization_url(
                described["authorization_endpoint"],
                state=kept["state"],
                nonce=kept["nonce"],
                code_verifier=kept["verifier"],
            )
        sealed = keyring.encrypt(
            json.dumps(kept | {"until": time.time() + KEPT_S}).encode(), context="oidc.begun"
        )
        return Begun(address, base64.urlsafe_b64encode(sealed).decode())

    def finish(
        self,
        database: Database,
        keyring: Keyring,
        *,
        cookie: str,
        code: str,
        state: str,
        device: signing_in.Device,
        limits: signing_in.Limits,
    ) -> signing_in.Opened:
        """Finish a sign-in with what the browser brought back.

        Raises
        ------
        SignInRefused
            It was begun elsewhere or too long ago, the provider's word is not worth anything, or
            nobody here is called so.
        Unavailable
            The provider does not answer.
        """
        kept = _unseal(keyring, cookie)
        if not hmac.compare_digest(kept["state"].encode(), state.encode()):
            raise SignInRefused(REFUSED)
        claims = self._claims(self._exchange(code, kept["verifier"]), kept["nonce"])
        with database.service_transaction() as session:
            account = execute(
                session,
                "SELECT * FROM wangge_sign_in_account(NULL, :subject)",
                subject=claims["sub"],
            ).one_or_none()
            if account is None:
                raise SignInRefused(REFUSED)
            is_strong = bool(STRONG & set(_texts(claims.get("amr"))))
            if account.is_totp_confirmed and not is_strong:
                raise SignInRefused("the provider asked for no second factor, and this account has")
            by = "provider_mfa" if is_strong else "provider"
            return signing_in.open_session(session, account, by=by, device=device, limits=limits)

    def _oauth(self) -> OAuth2Client:
        return OAuth2Client(
            self.client.client_id,
            self.client.client_secret,
            scope=SCOPE,
            redirect_uri=self.client.redirect_uri,
            code_challenge_method="S256",
            timeout=PATIENCE_S,
            follow_redirects=False,
            trust_env=False,
        )

    def _exchange(self, code: str, verifier: str) -> str:
        described, _ = self._describe()
        try:
            with self._oauth() as oauth:
                answer = oauth.fetch_token(
                    described["token_endpoint"], code=code, code_verifier=verifier
                )
        except OAuthError as error:
            raise SignInRefused(REFUSED) from error
        except (httpx2.HTTPError, ValueError) as error:
            raise Unavailable("the provider does not answer as one") from error
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise SignInRefused(REFUSED)
        return token

    def _claims(self, token: str, nonce: str) -> dict[str, Any]:
        """What the provider says of the person, once its signature and address are checked."""
        try:
            decoded = self._decode(token)
            jwt.JWTClaimsRegistry(
                leeway=CLOCKS_OFF_S,
                iss={"essential": True, "value": self.client.issuer},
                aud={"essential": True, "value": self.client.client_id},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
                nonce={"essential": True, "value": nonce},
            ).validate(decoded.claims)
        except (JoseError, ValueError, TypeError) as error:
            raise SignInRefused(REFUSED) from error
        claims: dict[str, Any] = decoded.claims
        audience = _texts(claims["aud"])
        is_ours = len(audience) == 1 or claims.get("azp") == self.client.client_id
        if not is_ours or not isinstance(claims["sub"], str) or not claims["sub"]:
            raise SignInRefused(REFUSED)
        return claims

    def _decode(self, token: str) -> jwt.Token:
        _, keys = self._describe()
        try:
            return jwt.decode(token, keys, algorithms=list(ALGORITHMS))
        except (JoseError, ValueError):
            # The provider may have changed its keys; ask once more, but not for every forgery.
            _, newer = self._describe(longest_s=REASKED_S)
            if newer is keys:
                raise
            return jwt.decode(token, newer, algorithms=list(ALGORITHMS))

    def _describe(self, longest_s: float = KEPT_S) -> tuple[dict[str, Any], KeySet]:
        """The provider's description and its keys.

        Raises
        ------
        Unavailable
            It does not answer, or is not the provider that it should be.
        """
        with self._lock:
            now = time.monotonic()
            if self._known is None or now - self._known[0] > longest_s:
                described = self._get(
                    f"{self.client.issuer.rstrip('/')}/.well-known/openid-configuration"
                )
                if described.get("issuer") != self.client.issuer:
                    raise Unavailable(
                        "the provider calls itself by another name than WANGGE_OIDC_ISSUER"
                    )
                for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                    check_address(str(described.get(name, "")), name)
                try:
                    keys = KeySet.import_key_set(self._get(described["jwks_uri"]))  # type: ignore[arg-type]
                except (JoseError, ValueError, KeyError, TypeError) as error:
                    raise Unavailable("the provider's keys cannot be read") from error
                self._known = (now, described, keys)
            return self._known[1], self._known[2]

    def _get(self, address: str) -> dict[str, Any]:
        try:
            answer = httpx2.get(
                address, timeout=PATIENCE_S, follow_redirects=False, trust_env=False
            ).raise_for_status()
            if len(answer.content) > LARGEST_ANSWER:
                raise ValueError("too large")
            document = answer.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise Unavailable("the provider does not answer as one") from error
        if not isinstance(document, dict):
            raise Unavailable("the provider does not answer as one")
        return document


def check_address(address: str, name: str) -> None:
    """Refuse an address that is not HTTPS, unless it is this machine's own.

    Raises
    ------
    BadInput
        What is said there could be read, or changed, on the way.
    """
    parts = urlsplit(address)
    is_safe = parts.scheme == "https" and parts.hostname
    is_here = parts.scheme == "http" and parts.hostname in {"127.0.0.1", "::1", "localhost"}
    if not (is_safe or is_here):
        raise BadInput(Problem(f"'{address}' is no address with HTTPS", "Use https://", field=name))


def _unseal(keyring: Keyring, cookie: str) -> dict[str, str]:
    try:
        sealed = base64.urlsafe_b64decode(cookie.encode("ascii"))
        kept: dict[str, Any] = json.loads(keyring.decrypt(sealed, context="oidc.begun"))
    except (ValueError, Unavailable) as error:
        raise SignInRefused(REFUSED) from error
    if kept["until"] < time.time():
        raise SignInRefused("the sign-in at the provider took too long: begin again")
    return kept


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
