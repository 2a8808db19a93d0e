from __future__ import annotations

import pytest
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ivr.positions import MOST_BYTES, MOST_VALUES, Mark, read_document


def said(content: str | bytes) -> list[str]:
    _, problems = read_document("x.yaml", content.encode() if isinstance(content, str) else content)
    return [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("12:30", "12:30"),
        ("2027-12-24", "2027-12-24"),
        ("0x1f", "0x1f"),
        ("1_000", "1_000"),
        ("0123", 123),
        ("-5", -5),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ('"7"', "7"),
        ("'true'", "true"),
        ("[1, a]", (1, "a")),
        ("{1: a}", {"1": "a"}),
    ],
)
def test_values_follow_yaml_1_2(text: str, value: object) -> None:
    document, problems = read_document("x.yaml", f"k: {text}\n".encode())

    assert problems == []
    assert document is not None
    assert document.value == {"k": value}


def test_every_value_and_key_has_its_place() -> None:
    document, _ = read_document("x.yaml", b"a:\n  - b: 1\n    'c': |\n      text\n")

    assert document is not None
    entry = document.entry(("a", 0, "c"))
    assert (entry.key, entry.value, entry.key_is_quoted, entry.style) == (Mark(3, 5), Mark(3, 10), True, "|")
    assert document.entry(("a", 0, "b")).text == "1"
    assert str(document.problem(("a", 0, "missing"), "what")) == "x.yaml:2:5: what"


def test_a_place_in_nothing_is_the_beginning() -> None:
    document, _ = read_document("x.yaml", b"")

    assert document is not None
    assert document.value is None
    assert str(document.problem(("a",), "what")) == "x.yaml:1:1: what"


def test_a_repeated_key_keeps_the_first_value_and_the_places_below_it() -> None:
    document, problems = read_document("x.yaml", b"a: {x: 1}\nb: 2\na: {x: 3}\n")

    assert [str(problem) for problem in problems] == ['x.yaml:3:1: "a" stands here twice: first at line 1, column 1']
    assert document is not None
    assert document.value == {"a": {"x": 1}, "b": 2}
    assert document.entry(("a", "x")).value.line == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: \xff\n", "x.yaml:1:1: byte 0xff is not UTF-8: expected UTF-8 text"),
        (b"a: 1\nb: \xe4\n", "x.yaml:2:1: byte 0xe4 is not UTF-8: expected UTF-8 text"),
        (b"%YAML 1.1\n---\na: 1\n", "x.yaml:2:1: a %YAML directive of another version: expected YAML 1.2"),
        (b"? [a]\n: 1\n", "x.yaml:1:3: a list or a mapping cannot be a key: expected a word"),
        (b"a: \x00\n", "x.yaml:1:4: character 0x00 cannot stand in a file: remove it"),
        (
            b"a: @x\n",
            "x.yaml:1:4: not YAML: found character '@' that cannot start any token: while scanning for the next token",
        ),
        (b"a: *b\n", "x.yaml:1:4: an alias (*b) is not allowed here: write the value out"),
        (b"&x a: 1\n", "x.yaml:1:1: an anchor (&x) is not allowed here: write the value out"),
        (b" " * (MOST_BYTES + 1), f"x.yaml:1:1: the file has more than {MOST_BYTES} bytes: expected a smaller one"),
        (b"- 1\n" * MOST_VALUES, f"x.yaml:{MOST_VALUES}:3: more than {MOST_VALUES} values: expected a smaller file"),
    ],
)  # fmt: skip
def test_what_cannot_be_relied_on_is_refused(content: bytes, message: str) -> None:
    document, _ = read_document("x.yaml", content)

    assert document is None
    assert said(content) == [message]


def test_a_byte_order_mark_and_a_directive_of_yaml_1_2_are_fine() -> None:
    assert said(b"\xef\xbb\xbfa: 1\n") == []
    assert said(b"%YAML 1.2\n---\na: 1\n") == []


def test_deep_nesting_is_refused_before_it_is_followed() -> None:
    assert said("[" * 100_000)[0].startswith("x.yaml:1:26: nested deeper than 24 levels")


def test_a_key_hash_that_yaml_takes_for_a_comment_is_pointed_out() -> None:
    assert said('keys:\n  1: a\n  #: b\n# : c\n"#": d\n') == [
        'x.yaml:3:3: a line that begins with "#:" is only a comment: write hash for the key #',
        'x.yaml:4:1: a line that begins with "#:" is only a comment: write hash for the key #',
    ]


def test_too_many_values_are_seen_before_anything_is_parsed() -> None:
    lines = "a:\n" + "  - 1\n" * MOST_VALUES
    document, (problem,) = read_document("x.yaml", lines.encode())
    assert document is None
    assert str(problem) == f"x.yaml:{MOST_VALUES + 1}:1: more than 16000 values: expected a smaller file"
    _, (problem,) = read_document("x.yaml", b"a: 1\nb: [" + b"1," * (MOST_VALUES + 1))
    assert str(problem) == "x.yaml:2:1: more than 16000 values: expected a smaller file"


def test_many_commas_and_lines_of_text_are_no_values() -> None:
    text = "a:\n  - |\n" + "    one, two, three\n" * (MOST_VALUES + 10)
    document, problems = read_document("x.yaml", text.encode())
    assert problems == []
    assert document is not None


def test_a_fault_of_the_reader_that_knows_no_place_is_told_at_the_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise YAMLError("something odd\nwith more to say")

    monkeypatch.setattr(YAML, "parse", fail)
    assert said("a: 1\n") == ["x.yaml:1:1: not YAML: something odd"]
