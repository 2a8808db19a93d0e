"""Whom a flow may give a caller to: what reaches a dial string, whatever a caller typed or another program answered."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cti.outbound import Outbound, Refused
from cti.transfers import Reach, TrunkLine, Way, outcome_of
from ivr.steps import Transfer

REACH = Reach(
    Outbound("DE"),
    (TrunkLine("carrier", "+498912345"), TrunkLine("spare", most=2)),
    {"maria": "2001", "jon": "2002", "eve": "2003&PJSIP/2001"},
)
DIAL = re.compile(r"PJSIP/(2001|2002|\+[1-9][0-9]{6,14}@trunk-(carrier|spare))")


@pytest.mark.parametrize(
    ("step", "way"),
    [
        (
            Transfer("number", "030 901820", 30.0),
            Way("PJSIP/+4930901820@trunk-carrier", "+4930901820", "carrier", "+498912345"),
        ),
        (
            Transfer("number", "+4930901820", 30.0, "spare"),
            Way("PJSIP/+4930901820@trunk-spare", "+4930901820", "spare", "+49899", 2),
        ),
        (
            Transfer("number", "+4930901820", 30.0, caller_id="+49 89 777"),
            Way("PJSIP/+4930901820@trunk-carrier", "+4930901820", "carrier", "+4989777"),
        ),
        (
            Transfer("number", "+4930901820", 30.0, caller_id="+49),Set(X=1"),
            Way("PJSIP/+4930901820@trunk-carrier", "+4930901820", "carrier", "+498912345"),
        ),
        (Transfer("extension", "2001", 30.0), Way("PJSIP/2001", "2001")),
        (Transfer("agent", "jon", 30.0), Way("PJSIP/2002", "2002")),
    ],
)
def test_the_way_there(step: Transfer, way: Way) -> None:
    assert REACH.way(step, "+49899") == way


@pytest.mark.parametrize(
    ("kind", "to", "reason"),
    [
        ("number", "112", "short"),
        ("number", "110", "short"),
        ("number", "+43 1 5333333", "abroad"),
        ("number", "0900 5 123456", "costly"),
        ("number", "", "invalid"),
        ("number", "030901820&PJSIP/2001", "invalid"),
        ("number", "030901820@elsewhere", "invalid"),
        ("number", "030901820,30,g", "invalid"),
        ("number", "Local/s@callyard-phones", "invalid"),
        ("number", "${SHELL(id)}", "invalid"),
        ("extension", "2001&2002", "unknown"),
        ("extension", "2009", "unknown"),
        ("extension", "112", "unknown"),
        ("extension", "2001/n", "unknown"),
        ("extension", "", "unknown"),
        ("agent", "nobody", "unknown"),
        ("agent", "", "unknown"),
        ("agent", "eve", "unknown"),
    ],
)
def test_who_may_not_be_called_is_refused(kind: str, to: str, reason: str) -> None:
    assert REACH.way(Transfer(kind, to, 30.0), "+49899") == Refused(reason)


def test_without_a_line_no_number_is_called() -> None:
    step = Transfer("number", "+4930901820", 30.0)
    assert Reach(Outbound("DE")).way(step) == Refused("no_line")
    assert REACH.way(Transfer("number", "+4930901820", 30.0, "gone")) == Refused("no_line")
    assert Reach(trunks=REACH.trunks).way(step) == Refused("abroad"), "a site without a country calls nobody"


@given(
    st.sampled_from(["number", "extension", "agent"]),
    st.text(max_size=40) | st.text("0123456789+&/,@|^${}() ", max_size=20),
    st.text(max_size=20) | st.text("0123456789+&/,@|^${}() ", max_size=20),
)
def test_nothing_but_a_number_or_a_phone_of_ours_reaches_a_dial_string(kind: str, to: str, shown: str) -> None:
    way = REACH.way(Transfer(kind, to, 30.0, caller_id=shown), to)
    if isinstance(way, Way):
        assert DIAL.fullmatch(way.dial)
        assert re.fullmatch(r"\+?[0-9]*", way.caller_id)
        assert re.fullmatch(r"\+?[0-9]+", way.to)


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        ("ANSWER|16|12|+4930", "answered"),
        ("ANSWER|17|12|+4930", "answered"),
        ("BUSY|17||2001", "busy"),
        ("CHANUNAVAIL|21||2001", "busy"),
        ("NOANSWER|19||2001", "no_answer"),
        ("CHANUNAVAIL|20||2001", "failed"),
        ("CONGESTION|34||2001", "failed"),
        ("", "failed"),
    ],
)
def test_how_it_ended(told: str, outcome: str) -> None:
    assert outcome_of(told) == outcome
