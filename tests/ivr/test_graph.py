"""A flow in words and as a picture: everything that it says is there, and nothing lies on anything else."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ivr.drawing import draw
from ivr.graph import Arrow, as_text, graph
from ivr.loader import load_site
from ivr.site import Site
from tests.ivr.sites import site_with

EXAMPLE = load_site(Path(__file__).parents[2] / "site")
SVG = "{http://www.w3.org/2000/svg}"
STEPS = """
- answer
- say: { en: "Hello\\nyou <all>", zh: 您好 }
  barge_in: true
- collect: Number?
  into: account
  digits: 4-8
  end: none
  between: 500ms
  invalid: { en: No., zh: 不。 }
- menu: 请按一键选择账单问题请按二键选择技术支持请按三键重听本菜单谢谢您的来电
  keys:
    1: other
    2: [goto: more]
    3: [flow: second]
    star: welcome
    hash: other
- queue: billing
  skills: { billing: 3 }
  announcement: [One., { en: Two. }]
  max_wait: 2m
  then: more
"""
REST = """
other:
  - set: { topic: Billing }
  - goto: more
more:
  - menu: Once more?
    keys: { 1: other, 2: [] }
  - if: caller == "1"
    then: []
  - hangup
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    second = {"flows/second.yaml": "start: only\nnodes:\n  first: [hangup]\n  only: [goto: first]\n"}
    return site_with(tmp_path_factory.mktemp("site"), STEPS, REST, **second)


def test_a_flow_in_words_has_every_step_with_its_options_and_ways(site: Site) -> None:
    assert as_text(site, "main").splitlines() == [
        "flow main",
        "",
        "welcome",
        "  answer",
        "  say: Hello you <all> (barge_in true)",
        "  collect: Number? (into account; digits 4-8; end none; between 0.5s; invalid No.)",
        "  menu: 请按一键选择账单问题请按二键选择技术支持请按三键重听本菜单谢谢您的来电",
        "    1 → other",
        "    2:",
        "      goto → more",
        "    3:",
        "      flow → second",
        "    * → welcome",
        "    # → other",
        "  queue: billing (skills billing 3; announcement One., Two.; max_wait 120s)",
        "    then → more",
        "",
        "other",
        "  set: topic Billing",
        "  goto → more",
        "",
        "more",
        "  menu: Once more?",
        "    1 → other",
        "    2:",
        '  if: caller == "1"',
        "    then:",
        "  hangup",
    ]


def test_the_start_comes_first_and_a_title_is_told(site: Site) -> None:
    assert [box.id for box in graph(site, "second")] == ["only", "first"]
    assert as_text(EXAMPLE, "office").startswith("flow office: Munich office\n\ndoor\n")


def test_arrows_join_all_ways_to_one_place(site: Site) -> None:
    boxes = graph(site, "main")

    assert [box.id for box in boxes] == ["welcome", "other", "more", "flow second"]
    assert [box.is_other for box in boxes] == [False, False, False, True]
    assert boxes[0].arrows == (
        Arrow(("1", "#"), "other", (("welcome:3", "keys.1"), ("welcome:3", "keys.#"))),
        Arrow(("2", "then"), "more", (("welcome:3.2:0", "goto"), ("welcome:4", "then"))),
        Arrow(("3",), "flow second", (("welcome:3.3:0", "flow"),)),
        Arrow(("*",), "welcome", (("welcome:3", "keys.*"),)),
    )
    assert boxes[1].arrows == (Arrow((), "more", (("other:1", "goto"),)),)


def test_lines_and_arrows_name_steps_that_there_are(site: Site) -> None:
    for name, layout in EXAMPLE.layouts.items():
        for box in graph(EXAMPLE, name):
            assert all(line.step in layout.steps for line in box.lines)
            assert all(step in layout.steps for arrow in box.arrows for step, _ in arrow.ways)
    assert {line.step for box in graph(site, "main") for line in box.lines} == set(site.layouts["main"].steps)


def test_the_text_in_the_documentation_is_the_example_sites() -> None:
    document = (Path(__file__).parents[2] / "docs" / "flows.md").read_text(encoding="utf-8")

    assert f"```\n{as_text(EXAMPLE, 'office')}\n```" in document


def rooms(picture: ElementTree.Element) -> list[tuple[float, float, float, float]]:
    """The boxes: left, top, right, bottom."""
    frames = [each for each in picture.iter(f"{SVG}rect") if each.get("class") in ("b", "b o")]
    numbers = [[float(each.get(name, "")) for name in ("x", "y", "width", "height")] for each in frames]
    return [(x, y, x + width, y + height) for x, y, width, height in numbers]


@pytest.mark.parametrize("flow", ["main", "second"])
def test_no_box_lies_on_another_and_all_lie_in_the_picture(site: Site, flow: str) -> None:
    for each in (site, EXAMPLE) if flow == "main" else (site,):
        picture = ElementTree.fromstring(draw(graph(each, flow)))
        found = rooms(picture)

        assert len(found) == len(graph(each, flow))
        width, height = float(picture.get("width", "")), float(picture.get("height", ""))
        for one, other in combinations(found, 2):
            assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
        assert all(left >= 0 and top >= 0 and right <= width and bottom <= height for left, top, right, bottom in found)


def test_arrows_begin_at_their_box_and_end_at_their_target(site: Site) -> None:
    boxes = graph(site, "main")
    picture = ElementTree.fromstring(draw(boxes))
    places = dict(zip((box.id for box in boxes), rooms(picture), strict=True))
    ways = [each for each in picture.iter(f"{SVG}path") if (each.get("class") or "").startswith("a")]
    ends = []
    for way in ways:
        drawn = way.get("d", "")
        numbers = [float(each) for each in re.findall(r"-?[0-9.]+", drawn)]
        is_back = way.get("class") == "a r"
        ends.append(((numbers[0], numbers[1]), (numbers[-2], numbers[-1]), is_back))
    arrows = [(box.id, arrow.target) for box in boxes for arrow in box.arrows]

    assert len(ends) == len(arrows)
    for source, target in arrows:
        from_, to = places[source], places[target]
        fits = [
            is_back
            for (x, y), (end_x, end_y), is_back in ends
            if from_[0] <= x <= from_[2] and y == pytest.approx(from_[3], abs=0.2)
            and to[0] <= end_x <= to[2] and end_y == pytest.approx(to[1] - 2, abs=0.2)
        ]  # fmt: skip
        assert fits, f"{source} → {target}"
        assert any(is_back == (to[1] <= from_[1]) for is_back in fits)


def test_what_is_long_is_cut_and_what_is_special_is_escaped(site: Site) -> None:
    texts = [each.text or "" for each in ElementTree.fromstring(draw(graph(site, "main"))).iter(f"{SVG}text")]

    assert "say: Hello you <all> (barge_in true)" in texts
    assert "menu: 请按一键选择账单问题请按二键选择技术支持请按…" in texts
    assert all(len(each) <= 52 for each in texts)
    assert "1, #" in texts


def test_a_long_way_passes_beside_the_boxes_between(tmp_path: Path) -> None:
    nodes = "\n".join(f"n{at}:\n  - if: caller == '{at}'\n    then: last\n  - goto: n{at + 1}" for at in range(5))
    site = site_with(tmp_path, "- goto: n0", f"{nodes}\nn5: [goto: last]\nlast: [hangup]")
    picture = ElementTree.fromstring(draw(graph(site, "main")))
    verticals = [
        (float(x), float(to))
        for way in picture.iter(f"{SVG}path")
        for x, to in re.findall(r" (-?[0-9.]+) -?[0-9.]+V([0-9.]+)", way.get("d", ""))
    ]

    assert len(verticals) >= 10
    for x, down_to in verticals:
        assert not any(left < x < right and top < down_to - 1 < bottom for left, top, right, bottom in rooms(picture))
