"""`python -m lab.calibration`: how right each estimator of the expected wait is, as the table of docs/routing.md."""

from __future__ import annotations

from rehearsal.calibration import table

if __name__ == "__main__":
    print("\n".join(table()))
