"""Trunks and emergency numbers as sections of pjsip.conf and lines of the dialplan."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cti.provisioning_values import (
    ProvisioningError,
    Transport,
    Trunk,
    checked,
    checked_codecs,
    checked_name,
    emergency_numbers,
)

__all__ = ["emergency_extensions", "emergency_route", "trunk_sections"]

_RING_S = 120


def trunk_sections(trunks: Sequence[Trunk], bind: str) -> str:
    """Return the pjsip.conf sections of all trunks; media goes out from the address `bind`."""
    return "\n".join(_sections(trunk, bind) for trunk in trunks)


def emergency_extensions(country: str) -> str:
    """Return the dialplan lines that take every emergency number of `country` to the emergency route."""
    return "\n".join(f"exten => {n},1,Goto(callyard-emergency,{n},1)" for n in emergency_numbers(country))


def emergency_route(trunks: Sequence[Trunk]) -> str:
    """Return the dialplan lines that try the marked trunks, then every other: a call for help is never refused."""
    lines: list[str] = []
    for trunk in sorted(trunks, key=lambda trunk: not trunk.emergency):
        if trunk.caller_id:
            lines.append(f" same => n,Set(CALLERID(num)={_caller_id(trunk)})")
        lines.append(f" same => n,Dial(PJSIP/${{EXTEN}}@{_section(trunk)},{_RING_S})")
        lines.append(' same => n,ExecIf($["${DIALSTATUS}" = "ANSWER"]?Hangup(16))')
    return "\n".join(lines)


def _sections(trunk: Trunk, bind: str) -> str:
    name = _section(trunk)
    field = f"trunk {trunk.name}"
    host = _host(f"{field}: host", trunk.host)
    server = f"sip:{host}:{_port(trunk)}" + (
        "" if trunk.transport is Transport.UDP else f"\\;transport={trunk.transport}"
    )
    endpoint = {
        "type": "endpoint",
        "transport": f"transport-{trunk.transport}",
        "context": "callyard-inbound",
        "disallow": "all",
        "allow": checked_codecs(f"{field}: codecs", trunk.codecs),
        "aors": name,
        "identify_by": "ip",
        "direct_media": "no",
        "allow_subscribe": "no",
        "trust_id_inbound": "yes",
        "rtp_symmetric": "yes",
        "media_address": bind,
        "bind_rtp_to_media_address": "yes",
        "set_var": f"CALLYARD_TRUNK={trunk.name}",
    }
    blocks = [_block(name, endpoint)]
    if trunk.max_calls:
        blocks.append(f"set_var = CALLYARD_TRUNK_MAX={int(trunk.max_calls)}")
    if trunk.srtp:
        blocks.append("media_encryption = sdes")
    if trunk.username:
        username = _user(f"{field}: username", trunk.username)
        blocks.append(f"outbound_auth = {name}\nfrom_user = {username}\nfrom_domain = {host}")
        secret = checked(f"{field}: secret", trunk.secret)
        auth = {"type": "auth", "auth_type": "userpass", "username": username, "password": secret}
        blocks.append(_block(name, auth))
    blocks.append(_block(name, {"type": "aor", "contact": server}))
    blocks.append(_block(name, {"type": "identify", "endpoint": name, "match": _matches(trunk)}))
    if trunk.register:
        blocks.append(_block(name, _registration(trunk, name, server)))
    return "\n".join(blocks) + "\n"


def _registration(trunk: Trunk, name: str, server: str) -> dict[str, str]:
    if not trunk.username or not trunk.secret:
        raise ProvisioningError(f"trunk {trunk.name}: register needs username and secret")
    return {
        "type": "registration",
        "transport": f"transport-{trunk.transport}",
        "outbound_auth": name,
        "server_uri": server,
        "client_uri": server.replace("sip:", f"sip:{trunk.username}@", 1),
        "contact_user": trunk.username,
        "line": "yes",
        "endpoint": name,
        "retry_interval": "30",
        "forbidden_retry_interval": "300",
        "fatal_retry_interval": "300",
        "max_retries": "1000000",
        "auth_rejection_permanent": "no",
    }


def _block(name: str, fields: dict[str, str]) -> str:
    return "\n".join([f"\n[{name}]", *(f"{key} = {value}" for key, value in fields.items())])


def _section(trunk: Trunk) -> str:
    return f"trunk-{checked_name('trunk: name', trunk.name)}"


def _matches(trunk: Trunk) -> str:
    # Without its port, a trunk on an address that phones use too would take the phones' calls for its own.
    host = _host(f"trunk {trunk.name}: host", trunk.host)
    own = f"{host}:{_port(trunk)}" if trunk.transport is Transport.UDP else host
    chosen = [_host(f"trunk {trunk.name}: match", address) for address in trunk.match] or [own]
    return ",".join(chosen)


def _port(trunk: Trunk) -> int:
    if not 0 < trunk.port < 65536:
        raise ProvisioningError(f"trunk {trunk.name}: port {trunk.port}, expected 1 to 65535")
    return int(trunk.port)


def _host(field: str, value: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5}|/[0-9]{1,2})?", value) is None:
        raise ProvisioningError(f"{field}: {value!r}, expected a host name or an IPv4 address")
    return value


def _user(field: str, value: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_.+-]{1,64}", value) is None:
        raise ProvisioningError(f"{field}: {value!r}, expected letters, digits, `_`, `.`, `+`, `-`")
    return value


def _caller_id(trunk: Trunk) -> str:
    if re.fullmatch(r"\+?[0-9]{2,20}", trunk.caller_id) is None:
        raise ProvisioningError(
            f"trunk {trunk.name}: caller_id {trunk.caller_id!r}, expected digits, `+` allowed in front"
        )
    return trunk.caller_id
