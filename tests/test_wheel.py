"""What people install: the wheel alone, in an environment of its own, without this source tree."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
_LIMIT_S = 60


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel."""
    assert (ROOT / "screenpop/web/dist/index.html").is_file(), "the page is not built: run make setup"
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=_LIMIT_S, capture_output=True)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel; what Callyard depends on comes from the present one, so nothing is fetched."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    command = [
        sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index",
        "--disable-pip-version-check", str(wheel),
    ]  # fmt: skip
    subprocess.run(command, check=True, timeout=_LIMIT_S, capture_output=True)
    [packages] = folder.glob("lib/python*/site-packages")
    # A path in a .pth file is added as it is: the .pth files that lie there, ours of an editable install, are not read.
    (packages / "present.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return folder


def run(installed: Path, place: Path, *words: str) -> str:
    """The output of a command of the environment, run in `place`; it must succeed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "CALLYARD"))}
    result = subprocess.run(
        [str(installed / "bin" / words[0]), *words[1:]],
        cwd=place, env=environment, capture_output=True, text=True, timeout=_LIMIT_S, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_the_wheel_holds_what_it_should_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"acd", "ivr", "rehearsal", "cti", "screenpop"}
    for name in ("extensions.conf", "modules.conf", "failsafe.py"):
        assert f"cti/data/asterisk-config/{name}" in names
    for file in (ROOT / "site").rglob("*"):
        if file.is_file():
            assert f"cti/data/site/{file.relative_to(ROOT / 'site')}" in names
    page = {name for name in names if name.startswith("screenpop/web/")}
    assert "screenpop/web/dist/index.html" in page
    assert all(name.startswith("screenpop/web/dist/") for name in page), page
    assert not any("node_modules" in name or name.endswith((".db", ".pyc", ".secret")) for name in names)


def test_everything_is_found_in_the_installed_package(installed: Path, tmp_path: Path) -> None:
    questions = (
        "import cti, screenpop, acd; from cti.provisioning import asterisk_config_dir; from cti.shipped import shipped;"
        "from screenpop.settings import WEB_FILES;"
        "print(cti.__file__, asterisk_config_dir(), shipped('site', 'site.yaml'), WEB_FILES, sep='\\n')"
    )
    places = [Path(line) for line in run(installed, tmp_path, "python", "-c", questions).splitlines()]
    assert all(place.is_relative_to(installed) for place in places), places
    assert (places[1] / "extensions.conf").is_file()
    assert (places[2] / "flows" / "main.yaml").is_file()
    assert (places[3] / "index.html").is_file()


def test_an_installation_can_be_begun_checked_and_provisioned(installed: Path, tmp_path: Path) -> None:
    assert "init" in run(installed, tmp_path, "callyard", "--help")
    run(installed, tmp_path, "callyard", "init", "center")
    place = tmp_path / "center"
    assert "no errors" in run(installed, place, "callyard", "check")
    assert "people added" in run(installed, place, "callyard", "people", "import", "site/people.csv")
    run(installed, place, "callyard", "provision", "asterisk")
    assert list((place / "asterisk").rglob("extensions.conf"))
    [script] = (place / "asterisk").rglob("failsafe.py")
    assert script.is_file()
    assert str(ROOT) not in "".join(file.read_text() for file in (place / "asterisk").rglob("*.conf"))
