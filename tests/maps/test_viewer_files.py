"""What the viewer's files promise, without a browser: words, licences, and nothing from outside."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest

from maps import palettes
from maps.gridmaps.gridmap import MEASURES

VIEWER = Path(__file__).parents[2] / "maps" / "viewer"
SCHEMA = "".join(
    path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).parents[2] / "data" / "migrations").rglob("*.sql"))
)
OWN = sorted(
    path
    for path in VIEWER.rglob("*")
    if path.suffix in {".js", ".css", ".html", ".json", ".svg"} and "vendor" not in path.parts
)
SCRIPTS = [path for path in OWN if path.suffix == ".js"]
PAGES = {name: (VIEWER / name).read_text(encoding="utf-8") for name in ("index.html", "plan.html")}
"""Those with a map; the policy of the server knows their map of imports by one hash."""
PAGE = PAGES["index.html"]
VENDORED = sorted((VIEWER / "vendor").iterdir())


def words(language: str) -> dict[str, str]:
    pairs: list[tuple[str, str]] = []
    for folder in (VIEWER, VIEWER / "desk"):
        text = (folder / "i18n" / f"{language}.json").read_text(encoding="utf-8")
        pairs += json.loads(text, object_pairs_hook=list)
    assert len(pairs) == len(dict(pairs)), "a key stands there twice"
    return dict(pairs)


def statement(beginning: str) -> str:
    """The rest of the statement of the migrations that holds these words."""
    return SCHEMA.split(beginning)[1].split(";\n")[0]


def script_text() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in SCRIPTS)


def test_both_languages_have_the_same_keys_and_the_same_blanks() -> None:
    zh, en = words("zh"), words("en")
    assert set(zh) == set(en)
    for key, text in zh.items():
        assert text.strip(), key
        assert en[key].strip(), key
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", en[key])), key


def test_every_key_in_the_scripts_has_words_and_every_word_is_used() -> None:
    zh, text = words("zh"), script_text()
    roots = {key.split(".")[0] for key in zh}
    # Rights are written like words.
    text = re.sub(r"\bmay\('[a-z_.]+'\)", "", text)
    whole = {key for key in re.findall(r"'([a-z]+\.\w+)'", text) if key.split(".")[0] in roots}
    parts = {match.split("${")[0] for match in re.findall(r"\bt\(`([^`]+)`", text)}
    assert whole - set(zh) == set()
    for part in parts:
        assert any(key.startswith(part) for key in zh), part
    unused = {key for key in zh if key not in whole and not any(key.startswith(p) for p in parts)}
    assert unused == set()


def test_there_are_words_for_every_value_the_schema_allows() -> None:
    zh, sql = words("zh"), SCHEMA
    states = set(re.findall(r"\('(\w+)', '(\w+)'\)", statement("incident_transitions (from")))
    for state in {"reported"} | {each for pair in states for each in pair}:
        assert f"state.{state}" in zh
    for column, prefix in (
        ("severity", "severity"), ("role", "role"), ("means", "means"), ("review", "review"),
        ("area_type", "area"), ("optics", "camera"),
    ):  # fmt: skip
        found = re.search(rf"\({column} IN \(([^)]*)\)", sql)
        assert found, column
        for value in re.findall(r"'(\w+)'", found[1]):
            assert f"{prefix}.{value}" in zh, value


@pytest.mark.parametrize(
    ("table", "column", "prefix"),
    [
        ("plans", "state", "desk.state"),
        ("plan_moves", "kind", "desk.kind"),
        ("plan_steps", "kind", "desk.step"),
    ],
)
def test_there_are_words_for_what_plans_go_through(table: str, column: str, prefix: str) -> None:
    zh = words("zh")
    found = re.search(rf"\({column} IN \(([^)]*)\)", statement(f"CREATE TABLE {table} ("))
    assert found
    values = re.findall(r"'(\w+)'", found[1])
    assert len(values) > 2
    for value in values:
        assert f"{prefix}_{value}" in zh, value


def test_merging_is_offered_from_the_states_that_may_be_merged() -> None:
    pairs = re.findall(r"\('(\w+)', '(\w+)'\)", statement("incident_transitions (from"))
    text = (VIEWER / "duplicates.js").read_text(encoding="utf-8")
    (offered,) = re.findall(r"MERGES_FROM = \[([^\]]*)\]", text)
    mergeable = {before for before, after in pairs if after == "merged"}
    assert set(re.findall(r"'(\w+)'", offered)) == mergeable


def test_every_category_of_the_schema_is_in_one_group() -> None:
    codes = re.findall(r"^    \('(\w+)', ", statement("INSERT INTO incident_categories"), re.M)
    text = (VIEWER / "layers" / "incidents.js").read_text(encoding="utf-8")
    grouped = [
        code
        for part in re.findall(r"codes: \[([^\]]*)\]", text)
        for code in re.findall(r"'(\w+)'", part)
    ]
    assert len(codes) == 21
    assert sorted(grouped) == sorted(codes)


def test_the_legend_shows_colours_on_the_ground_of_the_map() -> None:
    style = json.loads((VIEWER / "style.json").read_text(encoding="utf-8"))
    land = style["layers"][0]["paint"]["background-color"]
    assert f"GROUND = '{land}'" in (VIEWER / "swatch.js").read_text(encoding="utf-8")


def test_what_has_no_value_looks_on_the_map_as_in_print() -> None:
    text = (VIEWER / "layers" / "gridmap.js").read_text(encoding="utf-8")
    assert f"NOT_KNOWN = '{palettes.hex_colour(palettes.NOT_KNOWN)}'" in text
    assert f"NOT_KNOWN_MARK = '{palettes.hex_colour(palettes.NOT_KNOWN_MARK)}'" in text
    (offered,) = re.findall(r"MEASURES = \[([^\]]*)\]", text)
    assert sorted(re.findall(r"'(\w+)'", offered)) == sorted(MEASURES)


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_the_page_refers_only_to_files_that_are_there(page: str) -> None:
    for reference in re.findall(r'(?:href|src)="([^"]+)"', page):
        assert reference.startswith("viewer/"), reference
        assert (VIEWER.parent / reference).is_file(), reference
    (imports,) = re.findall(r'<script type="importmap">(.*?)</script>', page, re.S)
    for target in json.loads(imports)["imports"].values():
        assert (VIEWER.parent / target).is_file(), target


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_nothing_inline_runs_but_the_import_map_known_by_its_hash(page: str) -> None:
    (imports,) = re.findall(r"<script(?![^>]*src=)[^>]*>(.*?)</script>", page, re.S)
    digest = base64.b64encode(hashlib.sha256(imports.encode()).digest()).decode()
    assert f"script-src 'self' 'sha256-{digest}'" in page
    assert "unsafe" not in page
    assert not re.search(r"<[^>]+\s(on\w+|style)=", page)
    # The server's header allows what the viewer's own page has, and no page more than that.
    assert imports in PAGE


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_nothing_comes_from_outside(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    outside = set(re.findall(r"(?:https?:)?//[a-z0-9-]+\.[a-z][\w./-]*", text))
    assert outside <= {"http://www.w3.org/2000/svg"}
    assert 'glyphs"' not in text
    assert not re.search(r"\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML", text)
    assert len(text.splitlines()) < 500


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_import_files_that_are_there(path: Path) -> None:
    for target in re.findall(r"from '([^']+)'|import\('([^']+)'\)", path.read_text("utf-8")):
        name = next(filter(None, target))
        assert name == "maplibre-gl" or (path.parent / name).is_file(), name


def test_the_page_of_a_sign_needs_no_map() -> None:
    """It has no map of imports: of all it loads no script may name another by a bare word."""
    waiting, known = [VIEWER / "intake.js"], set()
    while waiting:
        path = waiting.pop()
        known.add(path)
        for name in re.findall(r"from '([^']+)'", path.read_text("utf-8")):
            assert name.startswith("."), f"{path.name} imports {name}"
            if (target := (path.parent / name).resolve()) not in known:
                waiting.append(target)
    assert len(known) > 3


# Places in arrays: numbers, whatever they are called.
PLACES = re.compile(r"\d+|index|which|NEIGHBOURS|\w+\.length - 1|\w+\.indexOf\(\w+\)")
INDEXED = re.compile(r"[\w)\]}](?:\?\.)?\[([^\[\]]*)\]")


def looked_up_by_name(text: str) -> list[str]:
    """What of a script reads or writes a property whose name is not written there.

    A name that comes from outside could be ``__proto__`` or ``constructor``: such look-ups belong
    into a Map.
    """
    code = re.sub(r"/\*.*?\*/|^\s*//.*$", "", text, flags=re.S | re.M)
    by_name = [
        found[0]
        for found in INDEXED.finditer(code)
        if not PLACES.fullmatch(found[1])
        # Of a pattern, the characters that it takes.
        and not re.search(r"/[^/\n ]*$", code[: found.start()])
    ]
    return by_name + re.findall(
        r"__proto__|\bsetPrototypeOf\b|\bfor \((?:const|let) \w+ in\b", code
    )


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_script_looks_a_name_up_in_a_plain_object(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert looked_up_by_name(text) == []
    # Copied into: the strings that an element keeps, and what the tests of the page ask for.
    for target in re.findall(r"Object\.assign\(([^,]+),", text):
        assert target in {"element.dataset", "globalThis"}


@pytest.mark.parametrize(
    ("script", "is_found"),
    [
        ("words[key] = 1;", True),
        ("const text = words.get(current)?.[key];", True),
        ("const name = {Edg: 'Edge'}[browser];", True),
        ("x = f(a)[b.c];", True),
        ("for (const key in said) {}", True),
        ("object.__proto__ = other;", True),
        ("const last = all[all.length - 1];", False),
        ("const first = all[0]; const here = all[index];", False),
        ("/** @param {string[]} all */ const copy = [...all];", False),
        ("const text = words.get(key);", False),
        ("const [one, two] = pair; f([one, two]);", False),
    ],
)
def test_look_ups_by_name_are_seen(script: str, is_found: bool) -> None:
    assert bool(looked_up_by_name(script)) == is_found


@pytest.mark.parametrize("folder", VENDORED, ids=lambda path: path.name)
def test_vendored_code_has_its_version_and_licence_and_no_way_out(folder: Path) -> None:
    version = folder.name.rpartition("-")[2]
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert "Redistribution and use" in (folder / "LICENSE.txt").read_text(encoding="utf-8")
    main = (folder / "maplibre-gl.mjs").read_text(encoding="utf-8")
    assert f"maplibre-gl-js/blob/v{version}/LICENSE" in main
    assert (folder / "maplibre-gl-worker.mjs").is_file()
    for path in folder.iterdir():
        assert "sourceMappingURL" not in path.read_text(encoding="utf-8"), path.name
