"""What comes with Callyard beside its code: the templates of Asterisk's configuration and the example site.

In the wheel they lie in `cti/data`, in a source tree at its root. The page's files are `screenpop.settings`'s.
"""

from __future__ import annotations

import importlib.resources
import shutil
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
    """Write settings and a copy of the example site into `folder`; returns the settings' file.

    Nothing that is there is replaced: ShippedFilesError when settings or a site are.
    """
    example = shipped("site", "site.yaml")
    settings, site = folder / "callyard.yaml", folder / "site"
    for taken in (settings, site):
        if taken.exists():
            raise ShippedFilesError(f"{taken} is there already: expected a folder without it")
    try:
        (folder / "data").mkdir(parents=True, exist_ok=True)
        shutil.copytree(example, site)
        settings.write_text(_SETTINGS, encoding="utf-8")
    except OSError as error:
        raise ShippedFilesError(f"{folder}: cannot be written: {error}") from error
    return settings
