"""People's phones as objects of Asterisk's database, so that they work at once without files or a reload.

What belongs here: which fields a phone needs. What does not: sending them (`DBPut` over AMI, by the caller).
"""

from __future__ import annotations

import json
import re

from cti.provisioning_values import PhoneKind, PhoneSettings, ProvisioningError, checked_codecs, checked_name

__all__ = ["AMI_LINE_LIMIT", "phone_objects", "phone_rows"]

AMI_LINE_LIMIT = 1000
"""Bytes of one AMI header that Asterisk surely reads (its buffer holds 1024, line end included)."""

_DEFAULT_CODECS = {PhoneKind.HARD: ("ulaw", "alaw", "g722"), PhoneKind.WEBRTC: ("ulaw", "opus")}


def phone_objects(phone: PhoneSettings) -> list[tuple[str, str, str]]:
    """Return (family, key, JSON text) for each `DBPut` that makes `phone` usable, in the order to send them.

    Raises ProvisioningError when a field cannot be sent or would not fit in an AMI header.
    """
    _check(phone)
    objects = [
        ("ps/auth", phone.extension, json.dumps(_auth(phone), separators=(",", ":"))),
        ("ps/aor", phone.extension, json.dumps(_aor(phone), separators=(",", ":"))),
        ("ps/endpoint", phone.extension, json.dumps(_endpoint(phone), separators=(",", ":"))),
    ]
    for family, key, text in objects:
        if len(text.encode()) > AMI_LINE_LIMIT:
            raise ProvisioningError(
                f"phone {key}: its {family} takes {len(text.encode())} bytes, expected at most {AMI_LINE_LIMIT}"
            )
    return objects


def phone_rows(extension: str) -> list[tuple[str, str]]:
    """Return (family, key) for each `DBDel` that takes the phone away again, in the order to send them."""
    return [("ps/endpoint", extension), ("ps/auth", extension), ("ps/aor", extension)]


def _check(phone: PhoneSettings) -> None:
    if re.fullmatch(r"[0-9]{2,15}", phone.extension) is None:
        raise ProvisioningError(f"phone: extension {phone.extension!r}, expected 2 to 15 digits")
    field = f"phone {phone.extension}"
    checked_name(f"{field}: context", phone.context)
    if re.fullmatch(r"[\x21-\x7e]{8,128}", phone.secret) is None:
        raise ProvisioningError(f"{field}: secret of {len(phone.secret)} characters, expected 8 to 128 printable ASCII")
    if phone.address and re.fullmatch(r"sips?:[A-Za-z0-9_.+-]+@[A-Za-z0-9.:_-]+(;[\w=.-]+)*", phone.address) is None:
        raise ProvisioningError(f"{field}: address {phone.address!r}, expected a URI such as sip:2001@192.0.2.7:5060")


def _auth(phone: PhoneSettings) -> dict[str, str]:
    return {"auth_type": "userpass", "username": phone.extension, "password": phone.secret}


def _aor(phone: PhoneSettings) -> dict[str, str]:
    fields = {"max_contacts": "1", "remove_existing": "yes", "minimum_expiration": "30", "maximum_expiration": "600"}
    if phone.address:
        fields["contact"] = phone.address
    return fields


def _endpoint(phone: PhoneSettings) -> dict[str, str]:
    codecs = phone.codecs or _DEFAULT_CODECS[phone.kind]
    fields = {
        "context": phone.context,
        "aors": phone.extension,
        "auth": phone.extension,
        "callerid": f"<{phone.extension}>",
        "allow": f"!all,{checked_codecs(f'phone {phone.extension}: codecs', codecs)}",
        "direct_media": "no",
        "allow_subscribe": "no",
        "rtp_symmetric": "yes",
        "force_rport": "yes",
        "rewrite_contact": "yes",
    }
    if phone.kind is PhoneKind.WEBRTC:
        # webrtc=yes implies DTLS, ICE, AVPF, mux and bundle. The time-outs end the call of a page that went away.
        fields |= {"webrtc": "yes", "rtp_timeout": "10", "rtp_timeout_hold": "600"}
    return fields
