"""A site with flows and flow tests that meet everything a real call can, for `test_live_flow_tests`."""

import shutil
from pathlib import Path

from lab.paths import repository

DESK, CLOSED_AT_NIGHT, ERRANDS = "+498999998600", "+498999998601", "+498999998602"
LIMITS, AWAY, REMEMBERS, OUTSIDE = (f"+49899999860{at}" for at in range(3, 7))
NUMBERS = {
    DESK: "desk",
    CLOSED_AT_NIGHT: "night",
    ERRANDS: "errands",
    LIMITS: "limits",
    AWAY: "away",
    REMEMBERS: "remembers",
    OUTSIDE: "outside",
}
FLOWS = {
    "desk": """
start: door
nodes:
  door:
    - answer
    - lookup: { number: $caller }
    - menu: Press one for an agent, two for a message.
      keys: { 1: agent, 2: message }
      retries: 0
  agent:
    - set: { topic: Garden }
    - queue: support
      priority: 3
      closed: message
      served: [say: "Goodbye, {customer.name}."]
      timed_out: [say: Nobody came.]
  message:
    - voicemail: Leave a message.
      otherwise: [say: You said nothing.]
""",
    "night": """
start: door
nodes:
  door:
    - hours: office
      closed: [refuse: closed]
    - answer
    - say: Day.
""",
    "errands": """
start: door
nodes:
  door:
    - answer
    - play: greeting.wav
    - goto: ask
  ask:
    - collect: Your account number, please.
      into: account
      digits: 3-4
      retries: 1
      invalid: Three or four digits.
      otherwise: nothing
    - lookup: { account: $account }
      unknown: [say: "Nobody has account {account:digits}."]
      several: [say: Several have it.]
      found: known
  known:
    - set: { greeting: Dear }
    - if: customer.vip
      then: [set: { greeting: Dearest }]
    - say: "{greeting} {customer.name}"
    - flow: farewell
  nothing:
    - say: You typed nothing.
""",
    "limits": """
start: door
nodes:
  door:
    - answer
    - menu: Press a digit.
      keys: { 1: busy, 2: long, 3: nobody, 4: promise, 5: twice }
      retries: 0
  busy: [{ queue: busy, full: [say: It is full.], timed_out: [say: Nobody came.] }]
  long: [{ queue: long, long_wait: [say: It would take long.] }]
  nobody: [{ queue: nobody, nobody: [say: Nobody works.] }]
  promise: [{ queue: promise, promised: [say: Until then.] }]
  twice: [{ queue: support, closed: [queue: support] }]
""",
    "away": """
start: door
nodes:
  door:
    - answer
    - menu: Press one for the yard, two for Olga.
      keys: { 1: yard, 2: olga, 3: abroad }
      retries: 0
  yard:
    - transfer: { number: "+4930901820" }
      then: [say: Back from the yard.]
      busy: [say: The yard is busy.]
      no_answer: [say: The yard is silent.]
      otherwise: [say: There is no yard.]
  olga:
    - transfer: { agent: olga }
      then: [say: Back from Olga.]
      otherwise: [say: Olga is away.]
  abroad:
    - transfer: { number: "+12125550123" }
      refused: [say: We do not call that.]
""",
    "remembers": """
start: door
nodes:
  door:
    - answer
    - if: history.calls_today > 1
      then: [say: You called before.]
    - if: history.open_case
      then: [say: Your case is open.]
    - say: "Last time {history.last_queue} {history.last_outcome}."
    - if: history.minutes_since_last < 30
      then: [say: That was just now.]
""",
    "outside": """
start: door
nodes:
  door:
    - answer
    - webhook: crm
      path: /accounts/{caller}
      query: { line: $dialled }
      keep: { name: people.1.name, open: { at: account.open, type: number } }
      not_found: [{ say: We do not know you. }, hangup]
      failed: [{ say: We cannot look. }, hangup]
    - say: "{name}, you owe {open:money}."
    - webhook: crm
      send: { name: $name, vip: true, count: 3 }
      failed: [hangup]
    - menu: Press one to get it in writing.
      keys: { 1: write }
      retries: 0
      wait: 20s
  write:
    - send_text: "You owe {open}."
      otherwise: [{ say: We could not send it. }, hangup]
    - say: It is on its way.
""",
    "farewell": "start: door\nnodes:\n  door:\n    - say: Farewell.\n    - hangup\n",
}
TESTS = f"""
served:
  given: {{ number: "{DESK}", caller: "+4930901820", at: 2026-11-23T10:00, customer: {{ name: Anna }} }}
  dialogue:
    - hears: Press one
    - presses: 1
    - expects: {{ queue: support, priority: 3, attributes: {{ topic: Garden }} }}
    - queue: served
    - hears: Goodbye, Anna
    - expects: {{ ended: normal }}
not served:
  given: {{ number: "{DESK}", at: 2026-11-23T10:00 }}
  dialogue: [presses: 1, queue: timed_out, hears: Nobody came, expects: {{ ended: normal }}]
closed, and nothing to say:
  given: {{ number: "{DESK}", at: 2026-11-23T10:00 }}
  dialogue: [presses: 1, queue: closed, message: none, hears: You said nothing, expects: {{ ended: normal }}]
a message:
  given: {{ number: "{DESK}", at: 2026-11-23T10:00 }}
  dialogue: [presses: 2, message: left, expects: {{ ended: normal }}]
by day:
  given: {{ number: "{CLOSED_AT_NIGHT}", at: 2026-11-23T10:00 }}
  dialogue: [hears: Day, expects: {{ ended: normal }}]
by night:
  given: {{ number: "{CLOSED_AT_NIGHT}", at: 2026-11-23T23:00 }}
  dialogue: [expects: {{ refused: closed }}]
a recording, a wrong account, a right one:
  given:
    number: "{ERRANDS}"
    at: 2026-11-23T10:00
    customers: [{{ name: Omar, account: "1006", vip: yes }}, {{ name: Ava, account: "1010" }}]
  dialogue:
    - hears: greeting.wav
    - hears: Your account number
    - presses: 12#
    - hears: Three or four digits
    - presses: 1006
    - hears: Dearest Omar
    - hears: Farewell
    - expects: {{ ended: normal }}
not a VIP:
  given: {{ number: "{ERRANDS}", at: 2026-11-23T10:00, customers: [{{ name: Ava, account: "1010" }}] }}
  dialogue: [presses: 1010, hears: Dear Ava, expects: {{ ended: normal }}]
nobody:
  given: {{ number: "{ERRANDS}", at: 2026-11-23T10:00 }}
  dialogue: [presses: 077#, hears: Nobody has account 0 7 7, expects: {{ ended: normal }}]
several:
  given:
    number: "{ERRANDS}"
    at: 2026-11-23T10:00
    customers: [{{ name: Omar, account: "1006" }}, {{ name: Ava, account: "1006" }}]
  dialogue: [presses: 1006, hears: Several have it, expects: {{ ended: normal }}]
typed nothing:
  given: {{ number: "{ERRANDS}", at: 2026-11-23T10:00 }}
  dialogue: [presses: nothing, presses: nothing, hears: You typed nothing, expects: {{ ended: normal }}]
asked and sent:
  given: {{ number: "{OUTSIDE}", caller: "+4930901820", at: 2026-11-23T10:00 }}
  dialogue:
    - webhook: {{ name: Anna, open: "12.50" }}
      sends: {{ line: "{OUTSIDE}" }}
    - hears: Anna, you owe twelve euros
    - webhook: ok
      sends: {{ name: Anna, vip: true, count: 3 }}
    - presses: 1
    - send_text: sent
      says: "12.50"
      to: "+4930901820"
    - hears: on its way
    - expects: {{ ended: normal }}
not taken:
  given: {{ number: "{OUTSIDE}", caller: "+4930901820", at: 2026-11-23T10:00 }}
  dialogue: [webhook: ok, webhook: ok, presses: 1, send_text: otherwise, hears: could not, expects: {{ ended: normal }}]
not allowed:
  given: {{ number: "{OUTSIDE}", caller: "+12125552368", at: 2026-11-23T10:00 }}
  dialogue: [webhook: ok, webhook: ok, presses: 1, send_text: otherwise, hears: could not, expects: {{ ended: normal }}]
not known:
  given: {{ number: "{OUTSIDE}", at: 2026-11-23T10:00 }}
  dialogue: [webhook: not_found, hears: do not know you, expects: {{ ended: normal }}]
out of order:
  given: {{ number: "{OUTSIDE}", at: 2026-11-23T10:00 }}
  dialogue: [webhook: failed, hears: cannot look, expects: {{ ended: normal }}]
gone meanwhile:
  given: {{ number: "{OUTSIDE}", at: 2026-11-23T10:00 }}
  dialogue: [webhook: ok, hangs_up]
full:
  given: {{ number: "{LIMITS}", caller: "+4930901820", at: 2026-11-23T10:00 }}
  dialogue: [presses: 1, queue: full, hears: It is full, expects: {{ ended: normal }}]
not full:
  given: {{ number: "{LIMITS}", caller: "+4930901820", at: 2026-11-23T10:00 }}
  dialogue: [presses: 1, queue: timed_out, hears: Nobody came]
a long wait:
  given: {{ number: "{LIMITS}", at: 2026-11-23T10:00 }}
  dialogue: [presses: 2, queue: long_wait, hears: It would take long]
nobody there:
  given: {{ number: "{LIMITS}", at: 2026-11-23T10:00 }}
  dialogue: [presses: 3, queue: nobody, hears: Nobody works]
promised by the key:
  given: {{ number: "{LIMITS}", caller: "+4930901820", at: 2026-11-23T10:00 }}
  dialogue: [presses: 4, queue: promised, hears: Until then]
promised under a number that was typed:
  given: {{ number: "{LIMITS}", at: 2026-11-23T10:00 }}
  dialogue: [presses: 4, queue: promised, hears: Until then]
never full:
  given: {{ number: "{DESK}", at: 2026-11-23T10:00 }}
  dialogue: [presses: 1, queue: full]
closed, and then served:
  given: {{ number: "{LIMITS}", at: 2026-11-23T10:00 }}
  dialogue: [presses: 5, queue: closed, queue: served]
the yard answers:
  given: {{ number: "{AWAY}", caller: "+4930901820", at: 2026-11-23T10:00 }}
  dialogue:
    [presses: 1, expects: {{ transfer: "+4930901820" }}, transfer: answered, hears: Back from the yard,
     expects: {{ ended: normal }}]
the yard is busy:
  given: {{ number: "{AWAY}", at: 2026-11-23T10:00 }}
  dialogue: [presses: 1, transfer: busy, hears: The yard is busy]
the yard is silent:
  given: {{ number: "{AWAY}", at: 2026-11-23T10:00 }}
  dialogue: [presses: 1, transfer: no_answer, hears: The yard is silent]
there is no yard:
  given: {{ number: "{AWAY}", at: 2026-11-23T10:00 }}
  dialogue: [presses: 1, transfer: failed, hears: There is no yard]
Olga answers:
  given: {{ number: "{AWAY}", at: 2026-11-23T10:00 }}
  dialogue: [presses: 2, expects: {{ transfer: olga }}, transfer: answered, hears: Back from Olga]
who waits for Olga hangs up:
  given: {{ number: "{AWAY}", at: 2026-11-23T10:00 }}
  dialogue: [presses: 2, expects: {{ transfer: olga }}, hangs_up]
nobody is called abroad:
  given: {{ number: "{AWAY}", at: 2026-11-23T10:00 }}
  dialogue: [presses: 3, transfer: refused, hears: We do not call that]
a stranger:
  given: {{ number: "{REMEMBERS}", caller: "+4930901821", at: 2026-11-23T10:00 }}
  dialogue: [hears: "Last time  .", expects: {{ ended: normal }}]
a customer who was here:
  given:
    number: "{REMEMBERS}"
    caller: "+4930901820"
    at: 2026-11-23T10:00
    customer: {{ name: Anna }}
    history:
      {{ calls_today: 2, last_queue: support, last_outcome: served, minutes_since_last: 20, open_case: yes }}
  dialogue:
    [hears: You called before, hears: Your case is open, hears: Last time support served, hears: That was just now,
     expects: {{ ended: normal }}]
a number that was here yesterday:
  given:
    number: "{REMEMBERS}"
    caller: "+4930901820"
    at: 2026-11-23T10:00
    history: {{ last_queue: billing, last_outcome: abandoned_in_queue, minutes_since_last: 1440 }}
  dialogue: [hears: Last time billing abandoned_in_queue, expects: {{ ended: normal }}]
what cannot have been:
  given:
    number: "{REMEMBERS}"
    caller: "+4930901820"
    at: 2026-11-23T10:00
    history: {{ calls_today: 2 }}
  dialogue: [hears: You called before, hears: "Last time  .", expects: {{ ended: normal }}]
wrong itself:
  given: {{ number: "{DESK}", at: 2026-11-23T10:00 }}
  dialogue: [hears: Good morning, presses: 1]
"""


QUEUES = """
busy: { title: Busy, overflow: [{ longer_than: 30 }], max_wait: 5m }
long: { title: Long, overflow: [{ expected_over: 10m }] }
nobody: { title: Nobody, overflow: [{ signed_in_below: 1, when: [joining] }] }
promise: { title: Promise, callback: { key: 5, greeting: This is us. } }
"""


def write(folder: Path, greeting: Path) -> Path:
    """The example site with these flows; `greeting`: the file of a recorded prompt."""
    site = folder / "site"
    shutil.copytree(repository() / "site", site)
    with (site / "numbers.yaml").open("a", encoding="utf-8") as file:
        for number, flow in NUMBERS.items():
            file.write(f'"{number}": {{ flow: {flow} }}\n')
    with (site / "queues.yaml").open("a", encoding="utf-8") as file:
        file.write(QUEUES)
    for name, text in FLOWS.items():
        (site / "flows" / f"{name}.yaml").write_text(text, encoding="utf-8")
    with (site / "site.yaml").open("a", encoding="utf-8") as file:
        file.write("text_messages: { webhook: crm, path: /texts }\n")
    (site / "sounds").mkdir(exist_ok=True)
    shutil.copy(greeting, site / "sounds" / "greeting.wav")
    return site
