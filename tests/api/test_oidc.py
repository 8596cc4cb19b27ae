"""Signing in through an OpenID provider: a small one on this machine, honest and not."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey
from pydantic import ValidationError

from api.app import create_app
from api.auth import COOKIE
from api.settings import ServerSettings
from boundaries.accounts import oidc
from gis.database import execute
from tests import factories
from tests.api.accounts import browser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gis.database import Database
    from tests.api.conftest import TestClient

SECRET = "client secret of the test"
REDIRECT = "http://127.0.0.1:8000/api/v1/oidc/callback"


class LocalProvider:
    """A provider with one person; what it says can be bent."""

    def __init__(self) -> None:
        self.keys = [RSAKey.generate_key(2048, {"kid": "first"})]
        self.claims: dict[str, Any] = {}
        self.sign: Any = None  # (header, key) in place of the usual ones
        self.described: dict[str, Any] = {}
        self.asked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                if self.path.endswith("/openid-configuration"):
                    self.answer(outer.description() | outer.described)
                elif self.path == "/keys":
                    self.answer(KeySet(outer.keys).as_dict(private=False))
                else:
                    self.send_error(404)

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                form = {k: v[0] for k, v in parse_qs(self.rfile.read(length).decode()).items()}
                outer.asked.append(self.path)
                given = base64.b64decode(self.headers["Authorization"].removeprefix("Basic "))
                known = outer._codes.pop(form.get("code", ""), None)
                digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
                challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
                if (
                    given.decode().partition(":")[0] != "wangge"
                    or known is None
                    or challenge != known["code_challenge"]
                    or form.get("redirect_uri") != REDIRECT
                ):
                    self.answer({"error": "invalid_grant"}, 400)
                    return
                self.answer(
                    {"access_token": "x", "token_type": "Bearer", "id_token": outer.token(known)}
                )

            def answer(self, document: Any, status: int = 200) -> None:
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def description(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }

    def agree(self, address: str) -> dict[str, str]:
        """The person agrees: what the browser brings back."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert asked["client_id"] == "wangge"
        assert "openid" in asked["scope"]
        code = secrets.token_urlsafe()
        self._codes[code] = asked
        return {"code": code, "state": asked["state"]}

    def token(self, asked: dict[str, str]) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": "wangge", "sub": "person-7", "iat": now, "exp": now + 60,
            "nonce": asked["nonce"],
        }  # fmt: skip
        claims = {k: v for k, v in (claims | self.claims).items() if v is not None}
        header, key = self.sign or ({"alg": "RS256", "kid": "first"}, self.keys[0])
        if header["alg"] == "none":
            parts = [
                base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=")
                for each in (header, claims)
            ]
            return ".".join((*parts, ""))
        return jwt.encode(header, claims, key, algorithms=[header["alg"]])


@pytest.fixture
def provider() -> Iterator[LocalProvider]:
    made = LocalProvider()
    yield made
    made.server.shutdown()
    made.server.server_close()


def settings(issuer: str) -> ServerSettings:
    return ServerSettings(
        oidc_issuer=issuer, oidc_client_secret=SECRET, oidc_redirect_uri=REDIRECT,
        oidc_name="Login of the county",
    )  # type: ignore[arg-type]  # fmt: skip


@pytest.fixture
def client(database: Database, provider: LocalProvider) -> Iterator[TestClient]:
    with database.transaction() as session:
        who = factories.account(session, "dispatcher", login="zhang")
        execute(
            session, "UPDATE accounts SET external_subject = 'person-7' WHERE id = :id", id=who.id
        )
    with browser(create_app(settings(provider.issuer), database)) as made:
        made.follow_redirects = False
        yield made


def sign_in(client: TestClient, provider: LocalProvider, **changed: str) -> Any:
    begun = client.get("/api/v1/oidc/login")
    assert begun.status_code == 303, begun.text
    brought = provider.agree(begun.headers["location"]) | changed
    return client.get("/api/v1/oidc/callback", params=brought)


def test_signs_in_whom_the_provider_names(
    client: TestClient, provider: LocalProvider, database: Database
) -> None:
    assert client.get("/api/v1/oidc").json() == {"name": "Login of the county"}
    answer = sign_in(client, provider)
    assert answer.status_code == 303
    assert answer.headers["location"] == "../../../"
    said = client.get("/api/v1/session").json()
    assert (said["login"], said["must_change_password"]) == ("zhang", False)
    cookies = answer.headers.get_list("set-cookie")
    (session,) = [each for each in cookies if each.startswith(f"{COOKIE}=")]
    assert "HttpOnly" in session
    assert "SameSite=strict" in session
    assert client.cookies[COOKIE] not in answer.headers["location"]
    assert "wangge_oidc" not in client.cookies, "what was begun is done with"
    with database.transaction() as opened:
        assert execute(opened, "SELECT second_factor FROM sessions").scalar() is False


def test_what_the_browser_carries_there_tells_nothing(
    client: TestClient, provider: LocalProvider
) -> None:
    begun = client.get("/api/v1/oidc/login")
    cookie = begun.headers["set-cookie"]
    for part in ("HttpOnly", "SameSite=lax", "Path=/api/v1/oidc", "Max-Age=600"):
        assert part in cookie
    asked = parse_qs(urlsplit(begun.headers["location"]).query)
    assert "code_verifier" not in asked
    assert asked["nonce"][0] not in cookie
    assert asked["redirect_uri"] == [REDIRECT]


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "somebody-else"}, {"sub": None}, {"sub": ""}, {"sub": 7}, {"aud": "another"},
        {"aud": ["wangge", "another"]}, {"aud": None}, {"iss": "https://evil.example"},
        {"iss": None}, {"exp": 1}, {"exp": None}, {"iat": None}, {"nonce": "another"},
        {"nonce": None}, {"exp": "soon"},
    ],
    ids=str,
)  # fmt: skip
def test_a_word_that_is_not_for_us_is_worth_nothing(
    client: TestClient, provider: LocalProvider, claims: dict[str, Any]
) -> None:
    provider.claims = claims
    answer = sign_in(client, provider)
    assert answer.headers["location"] == "../../../?provider=refused"
    assert COOKIE not in client.cookies
    assert client.get("/api/v1/session").status_code == 401


def test_an_audience_of_several_names_us(client: TestClient, provider: LocalProvider) -> None:
    provider.claims = {"aud": ["wangge", "another"], "azp": "wangge"}
    assert sign_in(client, provider).headers["location"] == "../../../"


@pytest.mark.parametrize("trick", ["none", "HS256", "another key", "ES256 unknown", "garbage"])
def test_forged_signatures(client: TestClient, provider: LocalProvider, trick: str) -> None:
    public = provider.keys[0].as_pem(private=False)
    provider.sign = {
        "none": ({"alg": "none"}, None),
        # The classic: the public key taken for a shared secret.
        "HS256": ({"alg": "HS256", "kid": "first"}, OctKey.import_key(public[:64].hex())),
        "another key": ({"alg": "RS256", "kid": "first"}, RSAKey.generate_key(2048)),
        "ES256 unknown": ({"alg": "ES256", "kid": "second"}, ECKey.generate_key("P-256")),
        "garbage": ({"alg": "none"}, None),
    }[trick]
    if trick == "garbage":
        provider.token = lambda _asked: "a.b.c"  # type: ignore[method-assign]
    assert sign_in(client, provider).headers["location"].endswith("refused")
    assert COOKIE not in client.cookies


def test_a_provider_may_change_its_keys(client: TestClient, provider: LocalProvider) -> None:
    assert sign_in(client, provider).headers["location"] == "../../../"
    provider.keys = [ECKey.generate_key("P-256", {"kid": "second"})]
    provider.sign = ({"alg": "ES256", "kid": "second"}, provider.keys[0])
    asked = len(provider.asked)
    refused = sign_in(client, provider)
    assert refused.headers["location"].endswith("refused"), "asked for a moment ago"
    assert "/keys" not in provider.asked[asked:], "a forgery does not make us ask"
    known = client.app.state.provider._known
    client.app.state.provider._known = (known[0] - oidc.REASKED_S - 1, *known[1:])
    assert sign_in(client, provider).headers["location"] == "../../../"


class TestReturning:
    """What comes back without having gone out, or twice, or to somebody else."""

    @pytest.mark.parametrize("changed", [{"state": ""}, {"state": "another"}, {"code": "stolen"}])
    def test_changed(
        self,
        client: TestClient,
        provider: LocalProvider,
        changed: dict[str, str],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        assert sign_in(client, provider, **changed).headers["location"].endswith("refused")
        assert COOKIE not in client.cookies
        (line,) = [each.getMessage() for each in caplog.records if each.name == "wangge.refused"]
        assert "reason=SignInRefused" in line
        assert "route=/api/v1/oidc/callback" in line

    def test_into_another_browser(
        self, client: TestClient, provider: LocalProvider, database: Database
    ) -> None:
        """An attacker's own sign-in, put into somebody's browser by a link."""
        brought = provider.agree(client.get("/api/v1/oidc/login").headers["location"])
        with browser(client.app) as victim:
            victim.follow_redirects = False
            answer = victim.get("/api/v1/oidc/callback", params=brought)
            assert answer.headers["location"].endswith("refused")
            victim.get("/api/v1/oidc/login")
            answer = victim.get("/api/v1/oidc/callback", params=brought)
            assert answer.headers["location"].endswith("refused")
            assert COOKIE not in victim.cookies

    def test_twice(self, client: TestClient, provider: LocalProvider) -> None:
        begun = client.get("/api/v1/oidc/login")
        cookie = client.cookies["wangge_oidc"]
        brought = provider.agree(begun.headers["location"])
        assert (
            client.get("/api/v1/oidc/callback", params=brought).headers["location"] == "../../../"
        )
        client.cookies.clear()
        again = client.get(
            "/api/v1/oidc/callback", params=brought, headers={"Cookie": f"wangge_oidc={cookie}"}
        )
        assert again.headers["location"].endswith("refused")

    @pytest.mark.parametrize("cookie", ["", "x", "AAAA", "%", "ö"])
    def test_a_forged_cookie(
        self, client: TestClient, provider: LocalProvider, cookie: str
    ) -> None:
        headers = {"Cookie": f"wangge_oidc={cookie}".encode()}
        params = {"code": "x", "state": "x"}
        answer = client.get("/api/v1/oidc/callback", params=params, headers=headers)
        assert answer.headers["location"].endswith("refused")

    def test_too_late(
        self, client: TestClient, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(oidc, "KEPT_S", -1.0)
        assert sign_in(client, provider).headers["location"].endswith("refused")


def test_a_closed_account_stays_closed(
    client: TestClient, provider: LocalProvider, database: Database
) -> None:
    with database.transaction() as session:
        execute(session, "UPDATE accounts SET disabled_at = now()")
    assert sign_in(client, provider).headers["location"].endswith("refused")


def test_a_second_factor_of_ours_is_not_passed_by(
    client: TestClient, provider: LocalProvider, database: Database
) -> None:
    with database.transaction() as session:
        execute(session, "UPDATE accounts SET totp_secret = 'x', totp_confirmed_at = now()")
    assert sign_in(client, provider).headers["location"].endswith("refused")
    provider.claims = {"amr": ["pwd", "otp"]}
    assert sign_in(client, provider).headers["location"] == "../../../"
    with database.transaction() as session:
        assert execute(session, "SELECT second_factor FROM sessions").scalar() is True


@pytest.mark.parametrize(
    "described",
    [
        {"issuer": "https://evil.example"}, {"token_endpoint": "http://evil.example/token"},
        {"jwks_uri": "file:///etc/passwd"}, {"authorization_endpoint": None},
    ],
    ids=str,
)  # fmt: skip
def test_a_provider_that_is_not_the_one(
    client: TestClient, provider: LocalProvider, described: dict[str, Any]
) -> None:
    provider.described = described
    answer = client.get("/api/v1/oidc/login")
    assert answer.status_code in {422, 503}
    assert "location" not in answer.headers


def test_one_that_does_not_answer(database: Database) -> None:
    with browser(create_app(settings("http://127.0.0.1:9"), database)) as client:
        assert client.get("/api/v1/oidc/login").status_code == 503


def test_without_a_provider(database: Database) -> None:
    with browser(create_app(ServerSettings(), database)) as client:
        assert client.get("/api/v1/oidc").json() == {"name": None}
        for path in ("login", "callback"):
            assert client.get(f"/api/v1/oidc/{path}").status_code == 404


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"oidc_client_secret": None}, "needs WANGGE_OIDC_CLIENT_SECRET"),
        ({"oidc_redirect_uri": None}, "WANGGE_OIDC_REDIRECT_URI"),
        ({"oidc_issuer": "http://login.example"}, "no address with https"),
        ({"oidc_redirect_uri": "http://wangge.example/callback"}, "no address with https"),
    ],
)  # fmt: skip
def test_settings_are_whole_and_encrypted(more: dict[str, Any], words: str) -> None:
    whole = {
        "oidc_issuer": "https://login.example", "oidc_client_secret": SECRET,
        "oidc_redirect_uri": "https://wangge.example/api/v1/oidc/callback",
    }  # fmt: skip
    assert SECRET not in repr(ServerSettings(**whole))  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match=words) as caught:
        ServerSettings(**(whole | more))  # type: ignore[arg-type]
    assert SECRET not in str(caught.value)
