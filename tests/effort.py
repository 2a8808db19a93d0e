"""How much the property tests try: quick in `make test`, long in `make soak`."""

import os


def examples(quick: int) -> int:
    """`quick`, or that many times CALLYARD_LAB_EFFORT."""
    return quick * int(os.environ.get("CALLYARD_LAB_EFFORT", "1"))
