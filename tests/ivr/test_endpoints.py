"""Where an endpoint is: the one scheme, host and port that are ever asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.endpoints import Endpoint, TextMessages
from ivr.loader import load_site
from tests.ivr.sites import problems_in, write_site


@pytest.mark.parametrize(
    ("url", "host", "port", "is_encrypted", "is_loopback"),
    [
        ("https://crm.example.com/api", "crm.example.com", 443, True, False),
        ("https://crm.example.com:8443", "crm.example.com", 8443, True, False),
        ("http://127.0.0.1", "127.0.0.1", 80, False, True),
        ("http://[::1]:8090/sms", "::1", 8090, False, True),
        ("http://localhost:8090", "localhost", 8090, False, True),
    ],
)
def test_an_endpoint_has_one_place(url: str, host: str, port: int, is_encrypted: bool, is_loopback: bool) -> None:
    endpoint = Endpoint(name="crm", url=url)
    assert (endpoint.host, endpoint.port) == (host, port)
    assert (endpoint.is_encrypted, endpoint.is_loopback) == (is_encrypted, is_loopback)


def said_of(folder: Path, url: str, rest: str = "") -> list[str]:
    return problems_in(folder, {"webhooks.yaml": f'crm:\n  url: "{url}"\n{rest}'})


def test_nothing_goes_to_another_machine_in_clear_unless_that_is_meant(tmp_path: Path) -> None:
    (said,) = said_of(tmp_path / "a", "http://crm.example.com")
    assert said == (
        "webhooks.yaml:2:3: http://crm.example.com would send callers' data in clear: "
        "expected https, or insecure: true if that is meant"
    )
    assert said_of(tmp_path / "b", "http://crm.example.com", "  insecure: true\n") == []


@pytest.mark.parametrize(
    "url", ["http://[::1", "https://", "ftp://a.example", "https://[]", "https://[:]/a", "https://:1"]
)
def test_what_is_no_address_is_said_to_be_none(tmp_path: Path, url: str) -> None:
    (said,) = said_of(tmp_path, url)
    assert "is not an address to ask" in said


def test_every_part_of_an_endpoint_is_read(tmp_path: Path) -> None:
    rules = (
        "  headers: { X-Site: Munich }\n  secret_headers: { Authorization: { file: token } }\n  timeout: 500ms\n"
        "  retries: 3\n  at_once: 2\n  body: form\n  breaker: { failures: 2, pause: 10s }\n"
    )
    site = load_site(write_site(tmp_path, {"webhooks.yaml": f"crm:\n  url: https://crm.example.com\n{rules}"}))
    crm = site.webhooks["crm"]
    assert (crm.timeout_s, crm.retries, crm.at_once, crm.body) == (0.5, 3, 2, "form")
    assert (crm.breaker.failures, crm.breaker.pause_s) == (2, 10.0)
    assert crm.secret_headers["Authorization"].file == "token"


def test_a_gateway_is_told_number_and_text_unless_it_says_otherwise() -> None:
    assert TextMessages(webhook="crm").send == {"to": "$to", "text": "$text"}


def test_a_site_without_endpoints_has_none(tmp_path: Path) -> None:
    assert load_site(write_site(tmp_path, {"webhooks.yaml": ""})).webhooks == {}
