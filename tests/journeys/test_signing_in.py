"""A person's way in and out: the real application in a real Chromium."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from boundaries.accounts import signing_in
from gis.database import Database, execute
from tests.api.accounts import OTHER, PASSWORD, live_code, person
from tests.journeys.viewer import at_rest, load_place, serving
from tests.journeys.viewer import browser as browser  # noqa: PLC0414 - a fixture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


@pytest.fixture
def address(database: Database) -> Iterator[str]:
    with database.transaction() as session:
        load_place(session)
    with serving(database) as made:
        yield made


@contextmanager
def visit(browser: Browser, address: str, *, language: str = "en-GB") -> Iterator[Page]:
    """A page of a browser that nobody is signed in with; refusals are told, nothing else fails."""
    context = browser.new_context(locale=language, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None,
    )
    page.add_init_script("localStorage.setItem('wangge.tasks_seen', '1')")
    page.goto(address)
    yield page
    # A browser itself tells of every refusal that a script was given.
    known = re.compile(r"the server responded with a status of (401|422|429)|GL Driver Message")
    assert [said for said in complaints if not known.search(said)] == []
    context.close()


def enter(page: Page, login: str, password: str) -> None:
    page.fill("#signin-login", login)
    page.fill("#signin-password", password)
    page.click("#signin-send")


def test_in_and_out(browser: Browser, address: str, database: Database) -> None:
    person(database, "dispatcher", login="zhang")
    with visit(browser, address, language="zh-CN") as page:
        expect(page.locator(".signin h2")).to_have_text("登录")
        expect(page.locator("#signin-login")).to_be_focused()
        # What a password manager looks for.
        assert page.get_attribute("#signin-login", "autocomplete") == "username"
        assert page.get_attribute("#signin-password", "autocomplete") == "current-password"
        enter(page, "zhang", "not the password")
        expect(page.locator("#signin-problem")).to_have_text("账号或密码不正确。")
        page.click("#language")
        expect(page.locator("#signin-problem")).to_have_text("Login or password is wrong.")
        expect(page.locator("#signin-login")).to_have_value("zhang")
        page.fill("#signin-password", PASSWORD)
        page.keyboard.press("Enter")
        at_rest(page)
        expect(page.locator(".signin")).to_have_count(0)
        # Nothing of the session lies where a script, or a link, could take it along.
        held = page.evaluate(
            "document.cookie + JSON.stringify({...localStorage, ...sessionStorage})"
        )
        assert "wangge_session" not in held
        token = next(c["value"] for c in page.context.cookies() if c["name"] == "wangge_session")
        assert token not in held + page.url + page.content()
        page.click("#account-open")
        expect(page.locator("#account-role")).to_have_text("dispatcher of the governance centre")
        page.click("#sign-out")
        expect(page.locator(".signin")).to_be_visible()
        page.reload()
        expect(page.locator(".signin")).to_be_visible()


def test_slowed_after_wrong_passwords(browser: Browser, address: str, database: Database) -> None:
    person(database, "dispatcher", login="zhang")
    with visit(browser, address) as page:
        for _ in range(signing_in.BY_LOGIN.free):
            enter(page, "zhang", "not the password")
            expect(page.locator("#signin-problem")).to_contain_text("wrong")
        enter(page, "zhang", PASSWORD)
        expect(page.locator("#signin-problem")).to_contain_text(re.compile(r"Try again in \d+ s"))
        with database.transaction() as session:
            execute(session, "UPDATE sign_in_failures SET locked_until = now()")
        page.click("#signin-send")
        at_rest(page)


def test_a_one_time_password_is_changed_first(
    browser: Browser, address: str, database: Database
) -> None:
    person(database, "system_admin", login="admin", must_change=True)
    with visit(browser, address) as page:
        enter(page, "admin", PASSWORD)
        expect(page.locator(".signin h2")).to_have_text("Choose your own password")
        page.fill("#signin-password", OTHER)
        page.fill("#signin-again", OTHER + "x")
        page.click("#signin-send")
        expect(page.locator("#signin-problem")).to_contain_text("not the same")
        for field in ("#signin-password", "#signin-again"):
            page.fill(field, "admin-admin-admin")
        page.click("#signin-send")
        expect(page.locator("#signin-problem")).to_contain_text("too easy to guess")
        page.reload()  # the one-time password is asked for again: it was kept nowhere
        expect(page.locator(".signin h2")).to_have_text("Choose your own password")
        page.fill("#signin-current", PASSWORD)
        for field in ("#signin-password", "#signin-again"):
            page.fill(field, OTHER)
        page.click("#signin-send")
        at_rest(page)
        # An administrator sees boundaries, and is told why there is no more.
        expect(page.locator("#layer-units")).to_be_enabled()
        expect(page.locator("#layer-grids")).to_have_count(0)
        expect(page.locator("#ask-centre")).to_have_count(0)
        expect(page.locator("#over")).to_contain_text("shows boundaries only")
        page.mouse.click(800, 500)
        expect(page.locator("#status")).to_have_text("Your role does not show grids.")


def test_a_second_factor_from_setting_up_to_a_lost_phone(
    browser: Browser, address: str, database: Database
) -> None:
    person(database, "dispatcher", login="zhang")
    with visit(browser, address) as page:
        enter(page, "zhang", PASSWORD)
        at_rest(page)
        page.click("#account-open")
        page.click("#account-second summary")
        page.fill("#signin-current", PASSWORD)
        page.click("#account-second button")
        expect(page.locator(".qr")).to_be_visible()
        secret = page.locator("#totp-secret").inner_text().replace(" ", "")
        page.fill("#signin-code", live_code(secret))
        page.click("#account-second button")
        codes = page.locator("#recovery-codes li")
        expect(codes).to_have_count(10)
        recovery = codes.nth(2).inner_text()
        with database.transaction() as session:
            execute(session, "UPDATE accounts SET totp_last_step = totp_last_step - 5")
        page.click("#sign-out")
        enter(page, "zhang", PASSWORD)
        expect(page.locator("#signin-code")).to_be_focused()
        page.fill("#signin-code", "000000")
        page.click("#signin-send")
        expect(page.locator("#signin-problem")).to_contain_text("code is wrong")
        page.fill("#signin-code", live_code(secret))
        page.click("#signin-send")
        at_rest(page)
        page.click("#account-open")
        page.click("#sign-out")
        enter(page, "zhang", PASSWORD)
        page.fill("#signin-code", recovery)
        page.click("#signin-send")
        at_rest(page)


def test_ended_from_another_device(browser: Browser, address: str, database: Database) -> None:
    person(database, "dispatcher", login="zhang")
    with visit(browser, address) as there, visit(browser, address) as here:
        for page in (there, here):
            enter(page, "zhang", PASSWORD)
            at_rest(page)
        here.click("#account-open")
        here.click("#account-devices summary")
        expect(here.locator(".devices li")).to_have_count(2)
        here.click("#end-others")
        expect(here.locator(".devices li")).to_have_count(1)
        there.click("#ask-centre")
        expect(there.locator(".signin")).to_be_visible()
        expect(there.locator("#signin-problem")).to_contain_text("You were signed out")
        here.click("#account .close")
        here.click("#ask-centre")
        expect(here.locator("#answer")).to_be_visible()


def test_a_role_shows_what_it_may_see_only(
    browser: Browser, address: str, database: Database
) -> None:
    person(database, "planner", login="planner")
    with visit(browser, address) as page:
        asked: list[str] = []
        page.on("request", lambda sent: asked.append(sent.url))
        enter(page, "planner", PASSWORD)
        at_rest(page)
        expect(page.locator("#layer-grids")).to_be_enabled()
        for layer in ("incidents", "density", "cameras", "routes"):
            expect(page.locator(f"#layer-{layer}")).to_have_count(0)
        page.click("#ask-centre")
        expect(page.locator("#answer")).to_be_visible()
        expect(page.locator("#add-incident")).to_have_count(0)
        # Nothing was asked for that would have been refused.
        assert not [url for url in asked if re.search("incidents|heatmaps|cameras|routes", url)]
