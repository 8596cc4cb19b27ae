"""Imports go one way, and the contract that says so bites."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
CONTRACTS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
    "importlinter"
]


def lint(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "lint-imports"
    return subprocess.run(
        [str(program), "--no-cache", *more], cwd=folder, capture_output=True, text=True, check=False
    )


def test_contracts_are_kept() -> None:
    done = lint(REPOSITORY)
    assert done.returncode == 0, done.stdout
    for contract in CONTRACTS["contracts"]:
        assert f"{contract['name']} KEPT" in done.stdout


def test_an_import_upward_breaks_them(tmp_path: Path) -> None:
    for name in CONTRACTS["root_packages"]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text('"""A package."""\n')
    (tmp_path / "gis" / "__init__.py").write_text("import grids\n")
    (tmp_path / "maps" / "__init__.py").write_text("import data\n")
    layers = CONTRACTS["contracts"][0]
    (tmp_path / ".importlinter").write_text(
        "[importlinter]\nroot_packages =\n"
        + "".join(f"    {name}\n" for name in CONTRACTS["root_packages"])
        + f"[importlinter:contract:1]\nname = {layers['name']}\ntype = layers\nlayers =\n"
        + "".join(f"    {line}\n" for line in layers["layers"])
    )
    done = lint(tmp_path)
    assert done.returncode == 1
    assert "gis is not allowed to import grids" in done.stdout
    assert "maps is not allowed to import data" in done.stdout
