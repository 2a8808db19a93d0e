"""`python -m lab.theory`: the table of docs/routing.md, theory against the engine at full precision (minutes).

With words as arguments only the cases whose names have one of them; `--short` looks only shortly.
"""

from __future__ import annotations

import sys

from rehearsal.cases import FULL, SHORT, Result, all_cases, measure

HEAD = "| case | theory | figure | theory says | engine | ± (99 %) | calls |\n|---|---|---|---|---|---|---|"


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


def main() -> int:
    effort = SHORT if "--short" in sys.argv else FULL
    wanted = [word for word in sys.argv[1:] if word != "--short"]
    print(HEAD, flush=True)
    outside = 0
    for case in all_cases():
        if wanted and not any(word in case.name for word in wanted):
            continue
        result = measure(case, effort)
        outside += len(result.outside())
        print("\n".join(rows(result)), flush=True)
    return 1 if outside else 0


if __name__ == "__main__":
    sys.exit(main())
