"""The settings of the process as values: what there is, its bounds, its defaults.

Unknown keys are refused, secrets have no default. Reading them from file and environment is `cti.config`'s.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from cti.errors import CtiError

PREFIX = "CALLYARD_"


class ConfigError(CtiError):
    """The settings cannot be used; the message names file, line and key, or the environment variable."""

    code = "config_error"


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path.expanduser()))


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
ListenPort = Annotated[int, Field(ge=0, le=65535, description="0: a free one, chosen by the kernel")]
Port = Annotated[int, Field(ge=1, le=65535)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$")]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AmiNode(_Frozen):
    """One Asterisk. Exactly one of `secret` and `secret_file` is given."""

    name: Name
    host: str = "127.0.0.1"
    port: Port = 5038
    username: str = "callyard"
    secret: SecretStr | None = None
    secret_file: AbsolutePath | None = None

    @model_validator(mode="after")
    def _one_secret(self) -> AmiNode:
        if (self.secret is None) == (self.secret_file is None):
            raise ValueError(f"node {self.name}: expected exactly one of secret, secret_file")
        return self

    def read_secret(self) -> str:
        """Return the secret, from its file if it stands in one; `ConfigError` if that cannot be read."""
        if self.secret is not None:
            return self.secret.get_secret_value()
        assert self.secret_file is not None
        return _secret_in(self.secret_file, f"ami node {self.name}")


def _secret_in(file: Path, whose: str) -> str:
    try:
        secret = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{whose}: cannot read {file}: {error}") from error
    if not secret or "\n" in secret:
        raise ConfigError(f"{whose}: expected one line with the secret in {file}")
    return secret


class MetricsSettings(_Frozen):
    """`token` or `token_file`: lets programs elsewhere read the figures; without it only this machine may."""

    token: SecretStr | None = None
    token_file: AbsolutePath | None = None

    @model_validator(mode="after")
    def _one_token(self) -> MetricsSettings:
        if self.token is not None and self.token_file is not None:
            raise ValueError("metrics: expected at most one of token, token_file")
        return self

    def read_token(self) -> str:
        """Return it, empty where there is none. Raises `ConfigError` if its file cannot be read."""
        if self.token_file is not None:
            return _secret_in(self.token_file, "metrics.token_file")
        return self.token.get_secret_value() if self.token is not None else ""


class JournalSettings(_Frozen):
    """The engine's journal: written before acting, on disk at most `fsync_ms` later."""

    fsync_ms: Annotated[int, Field(ge=0, le=10_000)] = 50
    segment_mb: Annotated[int, Field(ge=1, le=64, description="a start reads one segment: 8 MB take about 2 s")] = 8
    keep_segments: Annotated[int, Field(ge=2, le=10_000)] = 32


class LogSettings(_Frozen):
    """`json` for machines, `text` for a terminal."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "text"] = "json"


class LimitSettings(_Frozen):
    """Bounds of the process; seconds unless the name says otherwise."""

    loop_stuck_s: Annotated[float, Field(ge=0.1, le=120, description="the server ends itself after")] = 10.0
    paused_s: Annotated[float, Field(ge=2, le=60, description="a longer pause is a gap: read anew")] = 5.0
    dead_man_s: Annotated[int, Field(ge=5, le=600, description="a call leaves a silent server after")] = 45
    dead_man_renew_s: Annotated[int, Field(ge=1, le=300)] = 20
    agi_sessions: Annotated[int, Field(ge=1, le=100_000)] = 2_000

    @model_validator(mode="after")
    def _renewed_in_time(self) -> LimitSettings:
        if self.dead_man_renew_s * 2 > self.dead_man_s:
            raise ValueError(
                f"dead_man_renew_s {self.dead_man_renew_s}: expected at most half of dead_man_s {self.dead_man_s}"
            )
        return self


class RetentionSettings(_Frozen):
    """How many days are kept; 0: for ever."""

    messages_days: Annotated[int, Field(ge=0, le=36_500, description="what callers left for us to hear")] = 90
    recordings_days: Annotated[int, Field(ge=0, le=36_500, description="recordings of calls")] = 90


class SpeechSettings(_Frozen):
    """Text to speech. `voices`: language → voice of espeak-ng, over the built-in table.

    `piper_voices`: language → model file of Piper, which then speaks it in place of espeak-ng.
    """

    program: str = "espeak-ng"
    words_per_minute: Annotated[int, Field(ge=80, le=450)] = 150
    voices: Mapping[Language, Annotated[str, Field(pattern=r"^[A-Za-z0-9_+-]{1,64}$")]] = {}
    piper_program: str = "piper"
    piper_voices: Mapping[Language, str] = {}
    cache_mb: Annotated[int, Field(ge=1, le=100_000)] = 512


class FailsafeTexts(_Frozen):
    """What a caller hears while the server is away; an empty one is the built-in text of the language."""

    message: str = ""
    choose: str = ""
    own_number: str = ""
    number: str = ""
    read_back: str = ""
    confirm: str = ""
    record: str = ""
    thanks: str = ""


class FailsafeSettings(_Frozen):
    """What Asterisk does with callers while the server is away. `language` and `take` are the site's if not set."""

    language: Language | None = None
    take: Literal["number", "voice", "both"] | None = None
    texts: FailsafeTexts = FailsafeTexts()
    spool_dir: AbsolutePath | None = None
    number_least_digits: Annotated[int, Field(ge=1, le=20)] = 5
    number_most_digits: Annotated[int, Field(ge=1, le=20)] = 16
    voice_s: Annotated[int, Field(ge=5, le=600)] = 120
    silence_s: Annotated[int, Field(ge=1, le=60)] = 5
    digit_wait_s: Annotated[int, Field(ge=1, le=60)] = 7
    tries: Annotated[int, Field(ge=1, le=10)] = 3
    total_s: Annotated[int, Field(ge=30, le=1800)] = 300

    @model_validator(mode="after")
    def _ordered(self) -> FailsafeSettings:
        if self.number_least_digits > self.number_most_digits:
            raise ValueError("number_least_digits: expected at most number_most_digits")
        return self


def _default_database(values: dict[str, Any]) -> str:
    return f"sqlite+aiosqlite:///{values.get('data_dir', '')}/callyard.db"


class Settings(BaseSettings):
    """All settings. Paths come out absolute."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=PREFIX, env_nested_delimiter="__", case_sensitive=False
    )

    data_dir: AbsolutePath = Field(default=Path(".callyard/data"), validate_default=True)
    site_dir: AbsolutePath = Field(default=Path("site"), validate_default=True)
    database_url: str = Field(default_factory=_default_database)
    keep_versions: Annotated[int, Field(ge=2, le=10_000, description="published versions of the site")] = 50
    web_host: str = "127.0.0.1"
    web_port: ListenPort = 8080
    web_origins: tuple[str, ...] = ()
    cookie_secure: bool = False
    agi_host: str = "127.0.0.1"
    agi_port: ListenPort = 4573
    ami: tuple[AmiNode, ...] = ()
    pop_wait_ms: Annotated[int, Field(ge=0, le=5_000)] = 150
    seed: int = 1
    journal: JournalSettings = JournalSettings()
    log: LogSettings = LogSettings()
    limits: LimitSettings = LimitSettings()
    metrics: MetricsSettings = MetricsSettings()
    retention: RetentionSettings = RetentionSettings()
    speech: SpeechSettings = SpeechSettings()
    failsafe: FailsafeSettings = FailsafeSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    @field_validator("web_origins")
    @classmethod
    def _origins_only(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not re.fullmatch(r"https?://[^/\s@?#]+", origin):
                raise ValueError(f"{origin!r}: expected scheme and host only, as in https://desk.example.com")
        return origins

    @field_validator("ami")
    @classmethod
    def _names_differ(cls, nodes: tuple[AmiNode, ...]) -> tuple[AmiNode, ...]:
        names = [node.name for node in nodes]
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"expected different names, came twice: {', '.join(doubled)}")
        return nodes

    @property
    def journal_dir(self) -> Path:
        return self.data_dir / "journal"

    @property
    def sounds_dir(self) -> Path:
        """Rendered prompts; Asterisk reads them."""
        return self.data_dir / "sounds"

    @property
    def versions_dir(self) -> Path:
        """Published versions of the site."""
        return self.data_dir / "versions"

    @property
    def messages_dir(self) -> Path:
        """What callers left for us to hear; Asterisk writes it."""
        return self.data_dir / "messages"

    @property
    def recordings_dir(self) -> Path:
        """Recordings of calls; Asterisk writes them."""
        return self.data_dir / "recordings"

    @property
    def spool_dir(self) -> Path:
        """What the fail-safe left; Asterisk writes it."""
        return self.failsafe.spool_dir or self.data_dir / "spool"

    @property
    def generated_dir(self) -> Path:
        """The rendered Asterisk configuration and the fail-safe script."""
        return self.data_dir / "asterisk"
