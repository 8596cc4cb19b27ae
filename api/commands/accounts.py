"""``wangge accounts``: who may sign in, as what, and where."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.shared import (
    Actor,
    AsJson,
    DataDir,
    actor_name,
    moment,
    open_database,
    out,
    print_json,
    print_table,
)
from api.schemas.accounts import AccountOut, DeviceOut, NewAccountOut
from boundaries.accounts import repository, service
from gis.errors import BadInput, Problem
from gis.wording import counted
from grids.people import service as people

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.orm import Session

    from boundaries.accounts.models import Account

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
Login = Annotated[str, typer.Argument(help="Login of the account")]
WHOLE = "all"


@contextmanager
def _session(data_dir: Path | None) -> Iterator[Session]:
    with open_database(data_dir) as database, database.transaction() as session:
        yield session


def area_of(text: str) -> str:
    """The area of an option: 'all' is the whole installation."""
    return "" if text == WHOLE else text


@app.command(
    epilog="Example: wangge accounts add wang.yi --name 王一 --role grid_worker "
    "--area 990121001001 --person 王一"
)
def add(
    login: Annotated[str, typer.Argument(help="What the person types to sign in")],
    name: Annotated[str, typer.Option(help="Whose account it is")],
    role: Annotated[str | None, typer.Option(help="Its role; none may do nothing")] = None,
    area: Annotated[str, typer.Option(help="Code of its unit, or 'all'")] = WHOLE,
    person: Annotated[
        str | None, typer.Option(help="The person (name, or id in its source) it belongs to")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Until when it is let in; open if not")] = None,
    subject: Annotated[
        str | None, typer.Option(help="Whom the OpenID provider calls so; needs no password")
    ] = None,
    program: Annotated[
        bool, typer.Option("--program", help="For a program: no password, API keys only")
    ] = False,
    data_dir: DataDir = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Open an account; its one-time password is told once."""
    code = area_of(area)
    with _session(data_dir) as session:
        who = None
        if person is not None:
            if len(code) < 6:
                raise BadInput(
                    Problem("people belong to a county", "Give its code", field="--area")
                )
            who = people.person_by_name(session, person, code[:6]).id
        account, password = service.add(
            session,
            login=login,
            name=name,
            area_code=code,
            person_id=who,
            valid_until=moment(until, "--until"),
            external_subject=subject,
            with_password=not program and subject is None,
            actor=actor_name(actor),
        )
        if role is not None:
            account = service.assign_role(session, account, role, code, actor=actor_name(actor))
        told = NewAccountOut.with_password(account, password)
    if as_json:
        print_json(told.model_dump(mode="json"))
        return
    _print_one(account)
    _print_password(password)


@app.command("list", epilog="Example: wangge accounts list --json")
def list_(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Every account: role, area, state, last sign-in."""
    with _session(data_dir) as session:
        found = [AccountOut.of(*each) for each in repository.accounts(session)]
    if as_json:
        print_json([each.model_dump(mode="json") for each in found])
        return
    print_table(
        ["login", "name", "role", "area", "state", "2nd factor", "last sign-in"],
        (
            (
                each.login,
                each.name,
                each.role or "-",
                each.area_code or WHOLE,
                _state(each),
                "yes" if each.has_second_factor else "no",
                _minute(each.last_signed_in_at),
            )
            for each in found
        ),
    )


@app.command(epilog="Example: wangge accounts role wang.yi township --area 990121001")
def role(
    login: Login,
    role: Annotated[str, typer.Argument(help="The role, or 'none'")],
    area: Annotated[str | None, typer.Option(help="Code of its unit, or 'all'")] = None,
    data_dir: DataDir = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Give an account its role and area; the area stays where none is given."""
    with _session(data_dir) as session:
        account = repository.account(session, login)
        account = service.assign_role(
            session,
            account,
            None if role == "none" else role,
            account.area_code if area is None else area_of(area),
            actor=actor_name(actor),
        )
        shown = AccountOut.of(account)
    _tell(account, shown, as_json=as_json)


@app.command(epilog="Example: wangge accounts roles")
def roles(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """The roles there are, and what each may do."""
    with _session(data_dir) as session:
        found = [
            {
                "role": each.key,
                "name_zh": each.name_zh,
                "name_en": each.name_en,
                "rights": sorted(repository.rights_of(session, each.key)),
            }
            for each in repository.roles(session)
        ]
    if as_json:
        print_json(found)
        return
    print_table(
        ["role", "", "", "rights"],
        (
            (each["role"], each["name_zh"], each["name_en"], " ".join(each["rights"]))
            for each in found
        ),
    )


@app.command(epilog="Example: wangge accounts disable wang.yi")
def disable(
    login: Login, data_dir: DataDir = None, actor: Actor = None, as_json: AsJson = False
) -> None:
    """Shut an account out at once; its sessions end."""
    _switch(login, data_dir, actor, is_disabled=True, as_json=as_json)


@app.command(epilog="Example: wangge accounts enable wang.yi")
def enable(
    login: Login, data_dir: DataDir = None, actor: Actor = None, as_json: AsJson = False
) -> None:
    """Let an account in again."""
    _switch(login, data_dir, actor, is_disabled=False, as_json=as_json)


def _switch(
    login: str, data_dir: Path | None, actor: str | None, *, is_disabled: bool, as_json: bool
) -> None:
    with _session(data_dir) as session:
        account = repository.account(session, login)
        account = service.disable(
            session, account, actor=actor_name(actor), is_disabled=is_disabled
        )
        shown = AccountOut.of(account)
    _tell(account, shown, as_json=as_json)


@app.command(epilog="Example: wangge accounts password wang.yi")
def password(
    login: Login, data_dir: DataDir = None, actor: Actor = None, as_json: AsJson = False
) -> None:
    """A new one-time password, told once; sessions end, and failed attempts are forgotten."""
    with _session(data_dir) as session:
        account = repository.account(session, login)
        new = service.reset_password(session, account, actor=actor_name(actor))
        told = NewAccountOut.with_password(repository.account(session, login), new)
    if as_json:
        print_json(told.model_dump(mode="json"))
    else:
        _print_password(new)


@app.command("totp-reset", epilog="Example: wangge accounts totp-reset wang.yi")
def totp_reset(
    login: Login, data_dir: DataDir = None, actor: Actor = None, as_json: AsJson = False
) -> None:
    """Remove a second factor whose device is lost; sessions end."""
    with _session(data_dir) as session:
        account = repository.account(session, login)
        service.remove_totp(session, account, actor=actor_name(actor))
        account = repository.account(session, login)
        shown = AccountOut.of(account)
    _tell(account, shown, as_json=as_json)


@app.command(epilog="Example: wangge accounts sessions wang.yi --json")
def sessions(login: Login, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Devices on which an account is signed in."""
    with _session(data_dir) as session:
        account = repository.account(session, login)
        found = [DeviceOut.of(each, None) for each in repository.open_sessions(session, account.id)]
    if as_json:
        print_json([each.model_dump(mode="json", exclude={"is_this"}) for each in found])
    elif not found:
        out.print(f"{account.login} is signed in nowhere")
    else:
        print_table(
            ["id", "since", "last seen", "address", "agent"],
            (
                (
                    each.id,
                    _minute(each.created_at),
                    _minute(each.last_seen_at),
                    each.address,
                    each.agent,
                )
                for each in found
            ),
        )


@app.command("sign-out", epilog="Example: wangge accounts sign-out wang.yi")
def sign_out(
    login: Login, data_dir: DataDir = None, actor: Actor = None, as_json: AsJson = False
) -> None:
    """End every session of an account."""
    with _session(data_dir) as session:
        account = repository.account(session, login)
        ended = service.end_sessions(session, account, actor=actor_name(actor))
    if as_json:
        print_json({"login": account.login, "ended": ended})
    else:
        out.print(f"{account.login}: {counted(ended, 'session')} ended")


def _tell(account: Account, shown: AccountOut, *, as_json: bool) -> None:
    if as_json:
        print_json(shown.model_dump(mode="json"))
    else:
        _print_one(account)


def _print_one(account: Account) -> None:
    out.print(
        f"{account.login} ({account.name}): {account.role or 'no role yet'} in "
        f"{account.area_code or 'the whole installation'}"
        f"{', shut out' if account.disabled_at else ''}",
        markup=False,
    )


def _print_password(password: str | None) -> None:
    if password is not None:
        out.print(f"one-time password: [bold]{password}[/]  (told this once, to be changed)")


def _state(account: AccountOut) -> str:
    if account.disabled_at is not None:
        return "shut out"
    if account.locked_until is not None:
        return f"slowed until {_minute(account.locked_until)}"
    return "password to change" if account.must_change_password else "open"


def _minute(when: object) -> str:
    return "" if when is None else str(when)[:16]
