"""Nothing is added without a rule: endpoints, tile layers, tables, rights, and questions enough."""

from __future__ import annotations

import ast
import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from fastapi.routing import APIRoute
from starlette.routing import Mount

from gis import hardening
from maps import tiles
from tests.access import pictures, questions, rules
from tests.access.place import A11, B11, CALLERS, ROLES, middle, report, sign_code
from tests.conftest import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.access.conftest import Marked

PACKAGES = ("gis", "boundaries", "grids", "maps", "api")


def routes(marked: Marked) -> Iterator[tuple[str, str, Any]]:
    """Method, path and route of everything the application answers to."""

    def walk(found: Any) -> Iterator[tuple[str, str, Any]]:
        for route in found:
            if isinstance(route, Mount):
                yield "MOUNT", route.path, route
            elif hasattr(route, "methods"):
                for method in sorted(set(route.methods) - {"HEAD"}):
                    yield method, route.path, route
            else:  # a router that was taken in whole
                yield from walk(route.original_router.routes)

    yield from walk(marked.ask.app.router.routes)


def asked_rights(dependant: Any) -> Iterator[tuple[str, ...]]:
    """Rights that the dependencies of a route ask for."""
    if hasattr(dependant.call, "rights"):
        yield dependant.call.rights
    for each in dependant.dependencies:
        yield from asked_rights(each)


def test_every_route_has_a_rule_or_is_public_by_name(marked: Marked) -> None:
    found = {(method, path) for method, path, _ in routes(marked)}
    guarded = {rules.door(*each) for each in found - rules.PUBLIC}
    assert found >= rules.PUBLIC, "rules.PUBLIC names what is not there any more"
    assert guarded == set(rules.table(rules.DOORS)), (
        "add the endpoint to rules.DOORS, or take it out"
    )
    assert guarded == set(questions.MAKERS), "say in questions.py what is asked of it"


def test_every_route_asks_who_is_calling(marked: Marked) -> None:
    for method, path, route in routes(marked):
        if (method, path) in rules.PUBLIC:
            continue
        assert isinstance(route, APIRoute), path
        assert len(list(asked_rights(route.dependant))) == 1, f"{method} {path} has no needs(...)"


def test_no_route_is_hidden_from_the_document(marked: Marked) -> None:
    document = marked.ask.app.openapi()["paths"]
    told = {(method.upper(), path) for path, item in document.items() for method in item}
    there = {(method, path) for method, path, _ in routes(marked)}
    assert there - told == {
        ("GET", "/"), ("GET", "/plan"), ("GET", "/q"), ("GET", "/openapi.json"),
        ("MOUNT", "/viewer"),
    }  # fmt: skip


def test_every_tile_layer_has_a_rule() -> None:
    assert set(tiles.LAYERS) == set(rules.table(rules.LAYERS)), "add the layer to rules.LAYERS"
    assert set(tiles.LAYERS) == set(pictures.IN_LAYER), "say in pictures.py what it shows"


@pytest.mark.parametrize("layer", ["cameras", "routes"])
def test_restricted_layers_have_no_public_endpoint(marked: Marked, layer: str) -> None:
    for path in (f"/tiles/{layer}", f"/tiles/{layer}/9/422/184"):
        assert marked.ask(None, "GET", path).status == 401


def test_every_endpoint_turns_strangers_away(marked: Marked) -> None:
    for door_ in rules.table(rules.DOORS):
        method, path = door_.split(":")
        path = path.format(id="0" * 8 + "-0000" * 3 + "-" + "0" * 12, layer="grids", z=9, x=1, y=1)
        answer = marked.ask(None, method, path, body=b"{}" if method != "GET" else None)
        assert answer.status == 401, door_
        assert not marked.place.found(answer.whole), door_


def test_public_endpoints_tell_nothing_of_what_is_kept(marked: Marked) -> None:
    for method, path in rules.PUBLIC:
        if method == "GET":
            answer = marked.ask(None, method, path)
            assert answer.status == 200, path
            assert not marked.place.found(answer.whole), path


def test_a_sign_tells_its_own_name_and_nothing_else(marked: Marked) -> None:
    incident = next(row for row in marked.place.rows["incident"] if row.areas == (A11,))
    code = {"code": sign_code(A11)}
    with marked.database.transaction() as session:
        before = session.scalar(sa.text("SELECT count(*) FROM incidents"))
    for path, body, status, seen in (
        ("/sign", code, 200, {("sign", A11)}),
        ("/receipt", code | {"id": report(incident)["id"]}, 404, {incident.mark}),
        # A place in another county, and one that nobody knows.
        ("", code | _complaint(*middle(B11)), 403, set()),
        ("", code | _complaint(*middle(A11)) | {"category": "none"}, 422, set()),
    ):
        answer = marked.ask(None, "POST", f"/api/v1/intake{path}", body=json.dumps(body).encode())
        assert answer.status == status, (path, answer.body)
        # The name of a unit is no secret; a 404 repeats the id that was asked for at the most.
        found = {mark for mark in marked.place.found(answer.whole) if mark[0] != "unit"}
        assert found <= seen, path
    with marked.database.transaction() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM incidents")) == before


def _complaint(lon: float, lat: float) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()), "category": "neighbour", "text": "x", "lon": lon, "lat": lat,
        "accuracy_m": 10,
    }  # fmt: skip


def test_every_table_is_protected_or_named(marked: Marked) -> None:
    with marked.database.engine.connect() as connection:
        tables = connection.execute(
            sa.text(
                """
                SELECT c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity AS is_forced,
                    EXISTS (SELECT FROM pg_policies AS p WHERE p.tablename = c.relname
                            AND p.cmd IN ('SELECT', 'ALL')) AS has_policy,
                    has_table_privilege('wangge_app', c.oid, 'SELECT')
                        OR has_any_column_privilege('wangge_app', c.oid, 'SELECT') AS is_read,
                    has_any_column_privilege('wangge_app', c.oid, 'INSERT, UPDATE')
                        OR has_table_privilege('wangge_app', c.oid, 'DELETE, TRUNCATE')
                        AS is_written
                FROM pg_class AS c
                WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
                    AND NOT c.relispartition
                    AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = c.oid
                                    AND d.deptype = 'e' AND c.relname <> 'spatial_ref_sys')
                """
            )
        ).all()
        assert hardening.breaches(connection) == []
    protected = {
        table.name
        for table in tables
        if table.is_forced and table.has_policy and (table.is_read or table.is_written)
    }
    assert protected == set(rules.TABLES), "add the table to rules.TABLES and rules.SIGHT"
    rest = [table for table in tables if table.name not in protected]
    assert {each.name for each in rest} == rules.REFERENCE | rules.UNREACHABLE
    for each in rest:
        assert not each.is_written, each.name
        assert each.is_read == (each.name in rules.REFERENCE), each.name


def test_every_table_shows_rows_of_the_place(marked: Marked) -> None:
    """A table whose rows carry no mark would pass the matrix by showing nothing."""
    tables = {table for table, _ in marked.place.keys}
    assert tables == set(rules.TABLES)
    kinds = {mark[0] for mark in marked.place.keys.values()} | {"said"}
    assert kinds == set(rules.table(rules.SIGHT))


def test_the_service_owns_nothing_and_bypasses_nothing(marked: Marked) -> None:
    with marked.database.service.connect() as connection:
        assert connection.scalar(sa.text("SELECT current_user")) == "wangge_app"
        assert connection.scalar(
            sa.text("SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb FROM pg_roles "
                    "WHERE rolname = current_user")
        ) is False  # fmt: skip
        assert connection.scalar(
            sa.text("SELECT count(*) FROM pg_class WHERE pg_get_userbyid(relowner) = current_user")
        ) == 0  # fmt: skip
        assert not connection.scalar(
            sa.text("SELECT has_schema_privilege(current_user, 'public', 'CREATE')")
        )


def test_every_definer_function_is_closed_and_has_its_path(marked: Marked) -> None:
    with marked.database.engine.connect() as connection:
        functions = connection.execute(
            sa.text(
                "SELECT oid::regprocedure::text AS name, proconfig, proacl::text[] AS acl "
                "FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace "
                "AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = pg_proc.oid "
                "AND d.deptype = 'e')"
            )
        ).all()
    assert functions
    for each in functions:
        assert any("search_path=pg_catalog, public" in part for part in each.proconfig), each.name
        assert each.acl is not None, f"{each.name} may be called by everybody"
        assert not [part for part in each.acl if part.startswith("=")], each.name


def test_the_dictionary_has_the_roles_of_the_rules(marked: Marked) -> None:
    with marked.database.engine.connect() as connection:
        assert tuple(connection.scalars(sa.text("SELECT key FROM roles ORDER BY place"))) == ROLES


def _rights_in_code() -> set[str]:
    """Every text in the packages' code: a right that is asked for stands there in full."""
    found = set()
    for package in PACKAGES:
        for path in (REPOSITORY / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.add(node.value)
    return found


def test_every_right_is_asked_for_somewhere(marked: Marked) -> None:
    with marked.database.engine.connect() as connection:
        rights = set(connection.scalars(sa.text("SELECT key FROM rights")))
        given = set(connection.scalars(sa.text("SELECT DISTINCT right_key FROM role_rights")))
        policies = " ".join(
            connection.scalars(
                sa.text("SELECT concat(qual, ' ', with_check) FROM pg_policies UNION ALL "
                        "SELECT prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace")
            )
        )  # fmt: skip
    asked = {right for right in rights if f"'{right}'" in policies} | (rights & _rights_in_code())
    assert rights - asked == rules.AWAITED, "ask for the right, or take it out of rules.AWAITED"
    assert given == rights, "a right that no role has"


def test_the_matrix_asks_enough(marked: Marked) -> None:
    asked = sum(1 for caller in CALLERS for _ in questions.questions(marked.place, caller))
    assert asked >= 5_000
