"""The page itself: the built files of `screenpop/web`, and `index.html` for every address that the page routes."""

from __future__ import annotations

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Callyard</title>
<h1>The desktop page is not built</h1>
<p>The server runs, but its web files are missing. In a source tree, <code>make setup</code> builds them.</p></html>
"""


class Page(StaticFiles):
    """Files with content hashes in their names (`assets/`) are kept by browsers, everything else is asked for anew."""

    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder, html=True, check_dir=False)
        self._index = folder / "index.html"

    async def check_config(self) -> None:
        """Nothing: a folder that is missing is answered by a page that says so."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        if not self._index.is_file():
            return HTMLResponse(_NOT_BUILT, 503)
        try:
            response = await super().get_response(path, scope)
        except HTTPException as error:
            # A missing file is missing; an address without a dot is one of the page's own.
            if error.status_code != 404 or "." in path.rsplit("/", 1)[-1]:
                raise
            response = await super().get_response("index.html", scope)
        kept = path.startswith("assets/") and response.status_code in (200, 304)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if kept else "no-cache"
        return response
