from __future__ import annotations

import json
from typing import Any

from ivr.schema import BARE_WORDS, STEPS, flow_schema


def test_the_json_schema_lists_every_step_and_how_it_is_written() -> None:
    schema = flow_schema()
    definitions = schema["$defs"]

    assert schema["required"] == ["start", "nodes"]
    for step in STEPS.values():
        assert step.__name__ in definitions
    for word in BARE_WORDS:
        assert {"const": word} in definitions[STEPS[word].__name__]["anyOf"]
    json.dumps(schema)


def test_the_json_schema_gives_durations_as_they_are_written() -> None:
    menu: dict[str, Any] = flow_schema()["$defs"]["MenuStep"]["properties"]

    assert menu["wait"]["default"] == "5s"
    assert menu["keys"]["type"] == "object"


def test_it_is_clear_which_step_is_meant_where_the_word_of_one_is_an_option_of_another() -> None:
    options = {word: {field.alias or name for name, field in step.model_fields.items()} for word, step in STEPS.items()}
    doubtful = [
        (word, other)
        for word, own in options.items()
        for other in STEPS
        if word != other and other in own and word in options[other]
    ]

    assert doubtful == []
    taken = [other for word, own in options.items() for other in STEPS if word != other and other in own]
    assert taken == ["confirm", "queue", "say"]
