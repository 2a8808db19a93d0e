"""What the source tree promises as a whole: no cycles, files of a size one can read, names that both sides know.

Who may import whom is checked by import-linter (`make check`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("acd", "ivr", "rehearsal", "cti", "screenpop", "lab")
MOST_LINES = 400
_REASON = re.compile(r"[Ll]onger than|more than 400 lines")
_EXTENSIONS = (ROOT / "asterisk-config" / "extensions.conf").read_text()
#: Names with our prefix that are no channel variables: the process's own environment.
_ENVIRONMENT = {"CALLYARD_CONFIG", "CALLYARD_HOME"}
#: A user of manager.conf.
_USERS = {"callyard-observer"}


def sources(*packages: str) -> Iterator[Path]:
    for package in packages:
        yield from sorted((ROOT / package).rglob("*.py"))


def module_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# --- cycles -----------------------------------------------------------------------------------------------------


def imports(file: Path, known: set[str]) -> set[str]:
    """Modules of ours that this one needs to be imported: those named outside functions and `if TYPE_CHECKING`."""
    found: set[str] = set()
    waiting: list[ast.AST] = list(ast.parse(file.read_text()).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            waiting += node.orelse
        elif isinstance(node, ast.If | ast.Try | ast.With):
            waiting += list(ast.iter_child_nodes(node))
    return found & known


def test_no_module_needs_itself() -> None:
    files = {module_of(file): file for file in sources(*PACKAGES)}
    needs = {name: imports(file, set(files)) - {name} for name, file in files.items()}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"a cycle of imports: {' → '.join((*path[path.index(name) :], name))}"
        if name not in done:
            for other in sorted(needs[name]):
                visit(other, (*path, name))
            done.add(name)

    for name in sorted(files):
        visit(name, ())
    assert len(done) == len(files) > 50


# --- size -------------------------------------------------------------------------------------------------------


def readable() -> list[Path]:
    page = ROOT / "screenpop" / "web" / "src"
    others = [file for ending in ("*.ts", "*.svelte", "*.css") for file in sorted(page.rglob(ending))]
    return [*sources(*PACKAGES, "tests"), *others]


@pytest.mark.parametrize("file", readable(), ids=lambda file: str(file.relative_to(ROOT)))
def test_a_file_is_short_or_says_why_not(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    if len(lines) > MOST_LINES:
        header = "\n".join(lines[:20])
        name = file.relative_to(ROOT)
        assert _REASON.search(header), f"{name}: {len(lines)} lines, at most {MOST_LINES} or the reason in its header"


# --- names that Asterisk's configuration and the code share -------------------------------------------------------


def texts(*packages: str) -> Iterator[tuple[Path, str]]:
    """Every literal text of the code, docstrings left out."""
    for file in sources(*packages):
        tree = ast.parse(file.read_text())
        docs = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
                yield file, node.value


def test_contexts_that_the_code_names_are_in_the_dialplan() -> None:
    contexts = set(re.findall(r"^\[(callyard-[a-z-]+)\]", _EXTENSIONS, re.MULTILINE))
    families = set(re.findall(r"DB\((callyard-[a-z-]+)/", _EXTENSIONS))
    assert {"callyard-inbound", "callyard-call", "callyard-dial"} <= contexts
    named = {text: file for file, text in texts("cti") if re.fullmatch(r"callyard-[a-z]+(-[a-z]+)*", text)}
    assert "callyard-dial" in named
    unknown = {text: file.name for text, file in named.items() if text not in contexts | families | _USERS}
    assert unknown == {}


def test_variables_that_the_code_names_are_in_the_dialplan() -> None:
    known = set(re.findall(r"\bCALLYARD_[A-Z_]+", _EXTENSIONS))
    named: dict[str, str] = {}
    for file, text in texts("cti"):
        for name in re.findall(r"\bCALLYARD_[A-Z_]*[A-Z]\b(?!_)", text):
            named[name] = file.name
    assert "CALLYARD_INTERACTION" in named
    unknown = {name: file for name, file in named.items() if name not in known | _ENVIRONMENT}
    assert unknown == {}, "documented nowhere in extensions.conf: is the name right?"


def test_variables_that_the_dialplan_expects_of_the_server_are_set_by_it() -> None:
    section = _EXTENSIONS.partition("server -> dialplan")[2].partition("Asterisk's database")[0]
    expected = set(re.findall(r"^;   (CALLYARD_[A-Z_]+)", section, re.MULTILINE))
    assert expected
    code = "\n".join(file.read_text() for file in sources("cti"))
    assert {name for name in expected if f'"{name}"' not in code} == set()


def test_functions_that_the_server_asks_for_have_their_modules() -> None:
    """An AMI Getvar of a function whose module is missing answers with nothing, and nobody notices."""
    text = (ROOT / "asterisk-config" / "modules.conf").read_text()
    modules = set(re.findall(r"^(?:load|require) = (\S+)\.so", text, re.MULTILINE))
    needed = {"DEVICE_STATE": "func_devstate", "TIMEOUT": "func_timeout"}
    code = "\n".join(file.read_text() for file in sources("cti"))
    for function, module in needed.items():
        assert f"{function}(" in code
        assert module in modules
    assert "res_manager_devicestate" in modules, "without it no DeviceStateChange event ever comes"
