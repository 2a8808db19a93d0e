"""What comes with Callyard beside its code: the templates of Asterisk's configuration, the example site, the unit for
systemd.

In the wheel they lie in `cti/data`, in a source tree at its root. The page's files are `screenpop.settings`'s.
"""

from __future__ import annotations

import importlib.resources
import shutil
import sys
from pathlib import Path

from cti.errors import CtiError

_SETTINGS = """# Settings of this Callyard; paths start at this folder. `callyard config` prints all settings with their
# defaults. An environment variable CALLYARD_… stands above this file.
site_dir: site
data_dir: data

ami:
  - name: callyard1
    secret_file: data/ami.secret     # written by callyard provision
"""


class ShippedFilesError(CtiError):
    """Files that belong to Callyard are missing, or their copy cannot be written; the message names the place."""

    code = "shipped_files"


def shipped(name: str, proof: str) -> Path:
    """The shipped folder `name`, which holds the file `proof`: in the installed package, else in the source tree."""
    installed = Path(str(importlib.resources.files("cti"))) / "data" / name
    found = installed if installed.is_dir() else Path(__file__).resolve().parent.parent / name
    if not (found / proof).is_file():
        raise ShippedFilesError(f"no {name} in {installed} nor in {found}: expected {proof} there")
    return found


def begin_installation(folder: Path) -> Path:
    """Write settings, a copy of the example site and a unit for systemd into `folder`; returns the settings' file.

    Nothing that is there is replaced: ShippedFilesError when settings or a site are.
    """
    example = shipped("site", "site.yaml")
    settings, site, unit = folder / "callyard.yaml", folder / "site", folder / "callyard.service"
    for taken in (settings, site, unit):
        if taken.exists():
            raise ShippedFilesError(f"{taken} is there already: expected a folder without it")
    try:
        (folder / "data").mkdir(parents=True, exist_ok=True)
        shutil.copytree(example, site)
        settings.write_text(_SETTINGS, encoding="utf-8")
        unit.write_text(_unit(folder.absolute()), encoding="utf-8")
    except OSError as error:
        raise ShippedFilesError(f"{folder}: cannot be written: {error}") from error
    return settings


def _unit(folder: Path) -> str:
    """The unit with the paths of this installation; the user is for its admin to make."""
    text = (shipped("systemd", "callyard.service") / "callyard.service").read_text(encoding="utf-8")
    program = Path(sys.executable).parent / "callyard"
    found = {"WorkingDirectory": folder, "ReadWritePaths": folder, "ExecStart": f"{program} serve"}
    lines = (line.partition("=")[0] for line in text.split("\n"))
    return "\n".join(
        f"{key}={found[key]}" if key in found else line for key, line in zip(lines, text.split("\n"), strict=True)
    )
