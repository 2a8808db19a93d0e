"""What the web side is told: by whom it may be used, and the site's words for screens."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from screenpop.model import Value

WEB_FILES = Path(__file__).parent / "web" / "dist"


class Choice(Value):
    """A code that is stored and the words that people read."""

    code: str = Field(min_length=1, max_length=64)
    title: str = Field(min_length=1, max_length=200)


class WebSettings(Value):
    """`origins`: addresses like `https://desk.example` that pages may come from; without any, only the host that
    the request itself names. `secure_cookie`: the page is served over https. `reasons`: for not ready.
    `messages_dir`, `recordings_dir`: where what may be listened to lies; None: nothing may.
    """

    origins: tuple[str, ...] = ()
    secure_cookie: bool = False
    queue_titles: Mapping[str, str] = {}
    reasons: tuple[Choice, ...] = ()
    dispositions: tuple[Choice, ...] = ()
    session_hours: float = Field(default=12, gt=0, le=24 * 30)
    web_files: Path = WEB_FILES
    messages_dir: Path | None = None
    recordings_dir: Path | None = None
