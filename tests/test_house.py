"""The rules of the house that a linter does not know."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src" / "diffex").rglob("*.py"))
GUESTS = {
    "accelerate": "training/loop.py",
    "captum": "evaluation/",
    "fastapi": "app/",
    "openai": "concepts/",
    "pyoperon": "rules/",
}
# Written so that it does not match itself.
MACHINE_PATH = re.compile(r"(?<![\w.~>*-])/(?:work|root|opt|home/\w+|Users/\w+)/\w")


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def imported(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


def project_files() -> list[Path]:
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if listed.returncode == 0:
        return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    return [path for folder in ("src", "tests", "scripts") for path in (ROOT / folder).rglob("*.py")]


def test_import_is_fast_and_light():
    code = (
        "import sys, time; start = time.perf_counter(); import diffex; print(time.perf_counter() - start);"
        "print([m for m in ('torch', 'pandas', 'skimage', 'scipy', 'diffusers') if m in sys.modules])"
    )
    runs = [run(sys.executable, "-c", code) for _ in range(4)]
    assert runs[0].returncode == 0, runs[0].stderr
    seconds = [float(done.stdout.splitlines()[0]) for done in runs[1:]]
    assert min(seconds) < 0.5
    assert runs[-1].stdout.splitlines()[1] == "[]"


@pytest.mark.parametrize("script", ["check_sizes.py", "check_docstrings.py"])
def test_sources_pass(script):
    done = run(sys.executable, ROOT / "scripts" / script)
    assert done.returncode == 0, done.stdout


def test_rooms_import_only_from_the_floors_below():
    linter = Path(sys.executable).with_name("lint-imports")
    if not linter.exists():
        pytest.skip("import-linter is not installed: pip install -e '.[dev]'")
    done = run(linter, "--no-cache")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("guest", GUESTS)
def test_guest_is_imported_in_one_place(guest):
    hosts = [path for path in SOURCES if any(name.split(".")[0] == guest for name in imported(path))]
    assert len(hosts) <= 1, hosts
    assert all(GUESTS[guest] in path.as_posix() for path in hosts), hosts


def test_no_path_of_one_machine_is_kept():
    found = []
    for path in project_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in MACHINE_PATH.finditer(text)]
    assert not found


def test_metadata_has_lower_bounds_and_constraints_pin_them():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = project["dependencies"] + [
        d
        for extra in ("anndata", "app", "describe", "docs", "onnx", "truth", "zarr", "dev")
        for d in extras[extra]
    ]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert [pin for pin in pins if not re.fullmatch(r"[\w.-]+==[\w.]+", pin)] == []
    assert [one for one in asked if not re.fullmatch(r"[\w-]+>=[\d.]+", one)] == []
    pinned = {re.sub(r"[-_.]+", "-", pin.split("==")[0]).lower() for pin in pins}
    assert [one for one in asked if one.split(">=")[0].lower() not in pinned] == []
