"""`python -m lab.theory`: the table of docs/routing.md, theory against the engine at full precision (an hour or more).

With words as arguments only the cases whose names have one of them; `--short` looks only shortly; `--write` puts each
case's rows into the document as soon as they are known.
"""

from __future__ import annotations

import sys
from pathlib import Path

from rehearsal.cases import FULL, SHORT, Result, all_cases, measure

HEAD = "| case | theory | figure | theory says | engine | ± (99 %) | calls |\n|---|---|---|---|---|---|---|"
DOCUMENT = Path(__file__).parent.parent / "docs" / "routing.md"


def rows(result: Result) -> list[str]:
    """The case's lines of the table; what lies outside is marked."""
    lines = []
    for at, (figure, found) in enumerate(zip(result.case.figures, result.intervals, strict=True)):
        names = (result.case.name, result.case.theory) if at == 0 else ("", "")
        digits = 4 if figure.is_share else 2
        mark = "" if found.covers(figure.theory) else " **outside**"
        calls = f"{result.calls:,}" if at == 0 else ""
        lines.append(
            f"| {names[0]} | {names[1]} | {figure.name} | {figure.theory:.{digits}f} | {found.mean:.{digits}f}{mark} "
            f"| {found.half_width:.{digits}f} | {calls} |"
        )
    return lines


def with_rows(document: str, name: str, lines: list[str], order: list[str]) -> str:
    """The document with the rows of this case, in the order of all cases; cases that are no more are left out.
    Raises ValueError when it has no such table."""
    before, head, after = document.partition(HEAD + "\n")
    if not head:
        raise ValueError(f"expected the table\n{HEAD}")
    table, cases = after.splitlines(keepends=True), dict[str, list[str]]()
    while table and table[0].startswith("|"):
        row = table.pop(0)
        cases.setdefault(row.split("|")[1].strip() or list(cases)[-1], []).append(row)
    cases[name] = [f"{line}\n" for line in lines]
    return before + head + "".join(row for each in order for row in cases.get(each, [])) + "".join(table)


def main() -> int:
    flags = {word for word in sys.argv[1:] if word.startswith("--")}
    wanted = [word for word in sys.argv[1:] if word not in flags]
    if unknown := flags - {"--short", "--write"}:
        print(f"expected --short, --write or words of cases' names, got {', '.join(sorted(unknown))}")
        return 2
    print(HEAD, flush=True)
    outside = 0
    order = [case.name for case in all_cases()]
    for case in all_cases():
        if wanted and not any(word in case.name for word in wanted):
            continue
        result = measure(case, SHORT if "--short" in flags else FULL)
        outside += len(result.outside())
        print("\n".join(rows(result)), flush=True)
        if "--write" in flags:
            DOCUMENT.write_text(with_rows(DOCUMENT.read_text(), case.name, rows(result), order))
    return 1 if outside else 0


if __name__ == "__main__":
    sys.exit(main())
