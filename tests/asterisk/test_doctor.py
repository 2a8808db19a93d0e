"""The doctor on what a real Asterisk was given and what it answers."""

from __future__ import annotations

import pytest

from cti.doctor import Level, examine_link, examine_manager_conf
from cti.settings import AmiNode
from tests.asterisk.conftest import Switch

pytestmark = pytest.mark.asterisk


async def test_what_we_render_is_what_the_doctor_wants(switch: Switch) -> None:
    made = switch.provisioned
    node = AmiNode(name="lab1", port=switch.settings.ami_port, username=made.ami_user, secret=made.ami_secret)
    findings = examine_manager_conf(made.config.with_name("manager.conf"), node)
    findings += await examine_link(node)
    assert [finding for finding in findings if finding.level is not Level.OK] == []
    assert len(findings) == 5
    stranger = node.model_copy(update={"username": "nobody"})
    (refused,) = await examine_link(stranger)
    assert refused.level is Level.ERROR
