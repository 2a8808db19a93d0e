"""SIPp as callers and phones: scenarios for one call each, and a process that never outlives its test."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from string import Template

LIMIT_S = 40

_SDP = """
      v=0
      o=sipp 1 1 IN IP[local_ip_type] [local_ip]
      s=-
      c=IN IP[media_ip_type] [media_ip]
      t=0 0
      m=audio [media_port] RTP/AVP 0 101
      a=rtpmap:0 PCMU/8000
      a=rtpmap:101 telephone-event/8000
      a=fmtp:101 0-15
"""

_HEADERS = """
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      From: <sip:$user@127.0.0.1>;tag=[pid]c[call_number]
      To: $to
      Call-ID: [call_id]
      Contact: <sip:$user@[local_ip]:[local_port]>
      Max-Forwards: 70
"""


def _request(method: str, cseq: int, extra: str = "", *, to: str = "<sip:[service]@127.0.0.1>[peer_tag_param]") -> str:
    head = Template(_HEADERS).safe_substitute(to=to)
    target = "sip:127.0.0.1:[remote_port]" if method == "REGISTER" else "sip:[service]@127.0.0.1:[remote_port]"
    body = f"Content-Type: application/sdp\n      Content-Length: [len]\n{_SDP}" if method == "INVITE" else ""
    body = body or "Content-Length: 0\n"
    return f"""<![CDATA[
      {method} {target} SIP/2.0{head}      CSeq: {cseq} {method}
      {extra}{body}
    ]]>"""


def _scenario(name: str, body: str) -> str:
    return f'<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="{name}">\n{body}\n</scenario>\n'


_PROVISIONAL = """
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="183" optional="true"/>
"""
_OK_TO_BYE = """
  <recv request="BYE"/>
  <send><![CDATA[
      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:]
      [last_Call-ID:]
      [last_CSeq:]
      Content-Length: 0

    ]]></send>
"""
_BYE = f"""
  <send retrans="500">{_request("BYE", 9)}</send>
  <recv response="200"/>
"""

WAITING_CALLER = _scenario(
    "calls, is answered, waits to be hung up",
    f"""<send retrans="500">{_request("INVITE", 1)}</send>{_PROVISIONAL}
  <recv response="200" rtd="true"/>
  <send>{_request("ACK", 1)}</send>{_OK_TO_BYE}""",
)

IMPATIENT_CALLER = _scenario(
    "calls, is answered, hangs up after pause $pause ms",
    f"""<send retrans="500">{_request("INVITE", 1)}</send>{_PROVISIONAL}
  <recv response="200"/>
  <send>{_request("ACK", 1)}</send>
  <pause milliseconds="$pause"/>{_BYE}""",
)


def refused_caller(code: int) -> str:
    """A caller who must be refused with that SIP status."""
    return _scenario(
        f"is refused with {code}",
        f"""<send retrans="500">{_request("INVITE", 1)}</send>{_PROVISIONAL}
  <recv response="{code}"/>
  <send>{_request("ACK", 1)}</send>""",
    )


RINGING_CALLER = _scenario(
    "calls, hears ringing, gives up after pause $pause ms",
    f"""<send retrans="500">{_request("INVITE", 1)}</send>
  <recv response="100" optional="true"/>
  <recv response="180"/>
  <pause milliseconds="$pause"/>
  <send retrans="500"><![CDATA[
      CANCEL sip:[service]@127.0.0.1:[remote_port] SIP/2.0
      [last_Via:]
      From: <sip:$user@127.0.0.1>;tag=[pid]c[call_number]
      To: <sip:[service]@127.0.0.1>
      [last_Call-ID:]
      CSeq: 1 CANCEL
      Max-Forwards: 70
      Content-Length: 0

    ]]></send>
  <recv response="200"/>
  <recv response="487"/>
  <send>{_request("ACK", 1)}</send>""",
)

_ANSWER = f"""
  <recv request="INVITE"/>
  <send><![CDATA[
      SIP/2.0 180 Ringing
      [last_Via:]
      [last_From:]
      [last_To:];tag=[pid]s[call_number]
      [last_Call-ID:]
      [last_CSeq:]
      Contact: <sip:[local_ip]:[local_port]>
      Content-Length: 0

    ]]></send>
  <send retrans="500"><![CDATA[
      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:];tag=[pid]s[call_number]
      [last_Call-ID:]
      [last_CSeq:]
      Contact: <sip:[local_ip]:[local_port]>
      Content-Type: application/sdp
      Content-Length: [len]
{_SDP}
    ]]></send>
  <recv request="ACK"/>
"""

PHONE = _scenario("rings, answers, waits to be hung up", _ANSWER + _OK_TO_BYE)

RINGING_PHONE = _scenario(
    "rings until it is cancelled",
    _ANSWER[: _ANSWER.index('<send retrans="500">')]
    + """
  <recv request="CANCEL"/>
  <send><![CDATA[
      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:];tag=[pid]s[call_number]
      [last_Call-ID:]
      [last_CSeq:]
      Content-Length: 0

    ]]></send>
  <send retrans="500"><![CDATA[
      SIP/2.0 487 Request Terminated
      [last_Via:]
      [last_From:]
      [last_To:];tag=[pid]s[call_number]
      [last_Call-ID:]
      CSeq: [last_cseq_number] INVITE
      Content-Length: 0

    ]]></send>
  <recv request="ACK"/>
""",
)

# rrs keeps the caller's contact, to which the BYE goes.
HANGING_UP_PHONE = _scenario(
    "rings, answers, hangs up after pause $pause ms",
    _ANSWER.replace('<recv request="INVITE"/>', '<recv request="INVITE" rrs="true"/>').replace(
        '<recv request="INVITE" rrs="true"/>',
        """<recv request="INVITE" rrs="true">
    <action>
      <ereg regexp="&lt;sip:([^&gt;]*)&gt;" search_in="hdr" header="Contact:" check_it="true" assign_to="all,target"/>
      <ereg regexp=".*" search_in="hdr" header="From:" check_it="true" assign_to="theirs"/>
      <ereg regexp=".*" search_in="hdr" header="To:" check_it="true" assign_to="ours"/>
    </action>
  </recv>
  <Reference variables="all"/>""",
    )
    + """
  <pause milliseconds="$pause"/>
  <send retrans="500"><![CDATA[
      BYE sip:[$target] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      From:[$ours];tag=[pid]s[call_number]
      To:[$theirs]
      Call-ID: [call_id]
      CSeq: 1 BYE
      Max-Forwards: 70
      Content-Length: 0

    ]]></send>
  <recv response="200"/>
""",
)


def _challenged(method: str, expected: str, *, to: str) -> str:
    ack = f"<send>{_request('ACK', 1)}</send>" if method == "INVITE" else ""
    credentials = "[authentication username=$user password=$secret]\n      "
    return f"""<send retrans="500">{_request(method, 1, to=to)}</send>
  <recv response="100" optional="true"/>
  <recv response="401" auth="true"/>{ack}
  <send retrans="500">{_request(method, 2, credentials, to=to)}</send>
  {expected}"""


def registration(code: int) -> str:
    """A phone that registers as $user with $secret and must get that final SIP status."""
    return _scenario(
        f"registers: {code}", _challenged("REGISTER", f'<recv response="{code}"/>', to="<sip:$user@127.0.0.1>")
    )


def phone_call(code: int) -> str:
    """A call from phone $user with $secret that must get that final SIP status; an answered one is hung up."""
    ending = f"<send>{_request('ACK', 2)}</send>" + (_BYE if code == 200 else "")
    expected = f'{_PROVISIONAL}<recv response="{code}"/>{ending}'
    return _scenario(f"phone calls: {code}", _challenged("INVITE", expected, to="<sip:[service]@127.0.0.1>"))


@asynccontextmanager
async def sipp(
    folder: Path,
    scenario: str,
    *,
    port: int,
    remote: int = 0,
    number: str = "100",
    calls: int = 1,
    user: str = "5551234",
    secret: str = "",
    pause_ms: int = 0,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run SIPp on `port`; with `remote` it calls `number` there, without it waits for calls."""
    text = scenario
    for name, value in (("$user", user), ("$secret", secret), ("$pause", str(pause_ms))):
        text = text.replace(name, value)
    script = folder / f"sipp-{port}-{abs(hash(text)) % 10**6}.xml"
    script.write_text(text)
    command = [
        "sipp", *([f"127.0.0.1:{remote}", "-s", number] if remote else []),
        "-sf", str(script), "-i", "127.0.0.1", "-p", str(port), "-m", str(calls), "-l", str(calls),
        "-r", "100", "-nostdin", "-timeout", f"{LIMIT_S}s", "-timeout_error",
        "-trace_err", "-error_file", f"{script}.err", "-trace_msg", "-message_file", f"{script}.msg",
    ]  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, cwd=folder
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def passed(process: asyncio.subprocess.Process, limit_s: float = LIMIT_S) -> bool:
    """Return whether the scenario went through to its end."""
    async with asyncio.timeout(limit_s):
        return await process.wait() == 0
