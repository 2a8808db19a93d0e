"""Other programs that flows may ask, as `webhooks.yaml` declares them: nothing else on any network is ever asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationInfo, WithJsonSchema, field_validator, model_validator

from ivr.errors import did_you_mean, one_of, quote
from ivr.prompts import names_in
from ivr.secret_references import SecretReference
from ivr.values import Name, Part, Seconds, Text, wrong

LONGEST_TIMEOUT_S = 10.0
MOST_RETRIES = 3
MOST_AT_ONCE = 100
_BASE = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/%@:+-]*)?")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_SECRET = re.compile(r"authorization|cookie|passw|secret|token|api[-_]?key|access[-_]?key|credential", re.IGNORECASE)
_PATH = re.compile(r"/[A-Za-z0-9._~/@:+{}$-]*")
#: What we say ourselves in every request.
OWN_HEADERS = ("host", "content-length", "content-type", "connection", "transfer-encoding", "idempotency-key", "accept")


def _url(text: str) -> str:
    expected = "expected for example https://crm.example.com/api"
    if "@" in text:
        raise wrong(f"an address to ask names no user and no password: {expected}, and secrets in secret_headers")
    if not _BASE.fullmatch(text):
        raise wrong(f"{quote(text)} is not an address to ask: {expected}, without query or fragment")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise wrong(f"{quote(text)} is not an address to ask: {expected}") from None
    if not host or ".." in parts.path:
        raise wrong(f"{quote(text)} is not an address to ask: {expected}")
    return text


def _timeout(seconds: float) -> float:
    if not 0.1 <= seconds <= LONGEST_TIMEOUT_S:
        raise wrong(f"{seconds:g}s for an answer: expected 100ms to {LONGEST_TIMEOUT_S:g}s, while the caller waits")
    return seconds


def _retries(count: int) -> int:
    if not 0 <= count <= MOST_RETRIES:
        raise wrong(f"{count} retries: expected 0 to {MOST_RETRIES}")
    return count


def _at_once(count: int) -> int:
    if not 1 <= count <= MOST_AT_ONCE:
        raise wrong(f"{count} at once: expected 1 to {MOST_AT_ONCE}")
    return count


def _failures(count: int) -> int:
    if not 1 <= count <= 100:
        raise wrong(f"{count} failures: expected 1 to 100")
    return count


def _pause(seconds: float) -> float:
    if not 1 <= seconds <= 600:
        raise wrong(f"{seconds:g}s of pause: expected 1s to 10m")
    return seconds


def _header(name: str) -> str:
    if not _HEADER.fullmatch(name):
        raise wrong(f"{quote(name)} is not a header: expected letters, digits and -, such as X-Site")
    if name.lower() in OWN_HEADERS:
        raise wrong(f"the header {name} is set by us: expected another one")
    return name


def _header_value(text: str) -> str:
    if not re.fullmatch(r"[\x21-\x7e]([\x20-\x7e]{0,510}[\x21-\x7e])?", text):
        raise wrong("a header's value has 1 to 512 characters of plain ASCII, none of them a line break")
    return text


def nothing_secret(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields, if none stands for a secret that is written there in clear."""
    for name, value in fields.items():
        if _SECRET.search(name) and isinstance(value, str) and value and not any(names_in(value, whole=True)):
            raise wrong(
                f"{quote(name)} looks like a secret in clear: expected it in secret_headers of webhooks.yaml, by "
                "{ env: NAME } or { file: path }"
            )
    return fields


def check_path(text: str) -> str:
    """The text, if it can stand behind an endpoint's `url`: what varies in it are values."""
    if not _PATH.fullmatch(text) or ".." in text or "//" in text:
        raise wrong(
            f"{quote(text)} is not a path: expected for example /customers/{{account}}; a query stands in query"
        )
    if text.count("$") or re.sub(r"\{[a-z0-9_.]+\}", "", text).count("{"):
        raise wrong(f"{quote(text)} is not a path: expected values in braces, such as /customers/{{account}}")
    return text


HeaderName = Annotated[str, AfterValidator(_header)]
UrlPath = Annotated[str, AfterValidator(check_path)]


class Breaker(Part):
    """When an endpoint that fails is left alone: after so many failures in a row, for so long."""

    failures: Annotated[int, AfterValidator(_failures), WithJsonSchema({"type": "integer", "minimum": 1})] = 5
    pause_s: Annotated[Seconds, AfterValidator(_pause)] = Field(30.0, alias="pause")


class Endpoint(Part):
    """`webhooks.yaml`: a program that flows may ask over HTTP. Only its own scheme, host and port are ever asked.

    `timeout` holds for all of a request: connecting, retries, and the last byte of the answer.
    """

    name: Name
    title: Text | None = None
    url: Annotated[str, AfterValidator(_url)]
    insecure: bool = False
    headers: Annotated[
        Mapping[HeaderName, Annotated[str, AfterValidator(_header_value)]], AfterValidator(nothing_secret)
    ] = Field(default_factory=dict)
    secret_headers: Mapping[HeaderName, SecretReference] = Field(default_factory=dict)
    timeout_s: Annotated[Seconds, AfterValidator(_timeout)] = Field(3.0, alias="timeout")
    retries: Annotated[int, AfterValidator(_retries)] = 0
    at_once: Annotated[int, AfterValidator(_at_once)] = 10
    body: Literal["json", "form"] = "json"
    breaker: Breaker = Breaker()

    @field_validator("insecure")
    @classmethod
    def _needed(cls, insecure: bool, info: ValidationInfo) -> bool:
        if insecure and info.data.get("url", "http:").startswith("https:"):
            raise wrong("insecure is for addresses of http: expected it to be left out with https")
        return insecure

    @model_validator(mode="after")
    def _nothing_in_clear(self) -> Endpoint:
        if self.url.startswith("http:") and not self.insecure and not self.is_loopback:
            raise wrong(
                f"{self.url} would send callers' data in clear: expected https, or insecure: true if that is meant"
            )
        return self

    @model_validator(mode="after")
    def _each_header_once(self) -> Endpoint:
        names = [name.lower() for name in (*self.headers, *self.secret_headers)]
        for name in names:
            if names.count(name) > 1:
                raise wrong(f"the header {name} stands here twice: expected it once")
        return self

    @property
    def host(self) -> str:
        """The only host that is asked."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The only port that is asked."""
        parts = urlsplit(self.url)
        return parts.port or (443 if parts.scheme == "https" else 80)

    @property
    def is_encrypted(self) -> bool:
        """Whether it is asked over TLS."""
        return self.url.startswith("https:")

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine, by what is written."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


#: Values of a gateway's request beside those of the call.
MESSAGE_VALUES = ("to", "text", "language", "interaction_id")


def _message_values(send: Mapping[str, str]) -> Mapping[str, str]:
    if not send:
        raise wrong("nothing is sent: expected for example { to: $to, text: $text }")
    for value in send.values():
        for name in names_in(value, whole=True):
            if name not in MESSAGE_VALUES:
                known = f"{one_of(MESSAGE_VALUES)}{did_you_mean(name, MESSAGE_VALUES)}"
                raise wrong(f"unknown value {quote(name)}: {known}")
    return send


class TextMessages(Part):
    """How text messages are sent: by a POST to an endpoint of `webhooks.yaml`, with these values in it."""

    webhook: Name
    path: UrlPath | None = None
    send: Annotated[Mapping[Text, str], AfterValidator(_message_values), AfterValidator(nothing_secret)] = Field(
        default_factory=lambda: {"to": "$to", "text": "$text"}
    )
