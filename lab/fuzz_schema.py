"""The REST API held to its own OpenAPI document by schemathesis, with all of its checks.

python -m lab.fuzz_schema                     some requests for each operation
python -m lab.fuzz_schema --examples 100      more; --seed 7: others; --phases fuzzing: those kinds only
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

from screenpop.auth import COOKIE
from screenpop.db.migrate import migrate
from screenpop.db.store import Store
from tests.screenpop.office import office

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
#: Signing out in the middle would leave nothing to look at but 401; `lab.fuzz rest` signs out and in.
_LEFT_OUT = "/api/session"


async def hold(examples: int, seed: int, phases: str, username: str = "ada") -> tuple[int, str]:
    """Run schemathesis against a real server, as somebody signed in; its status and what it said."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        url = f"sqlite:///{Path(folder) / 'callyard.db'}"
        await migrate(url)
        store = Store(url)
        try:
            async with office(store) as opened:
                client = await opened.client(username)
                await opened.call("i1", "030 901820")
                command = [
                    str(Path(sys.executable).with_name("schemathesis")),
                    f"--config-file={CONFIGURATION}", "run", f"{opened.address}/api/openapi.json", "--checks=all",
                    "--exclude-path", _LEFT_OUT, "-H", "X-Callyard: 1",
                    "-H", f"Cookie: {COOKIE}={client.cookies[COOKIE]}", f"--max-examples={examples}", f"--seed={seed}",
                    f"--phases={phases}", "--continue-on-failure", "--no-color",
                ]  # fmt: skip
                running = await asyncio.create_subprocess_exec(
                    *command,
                    cwd=folder,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.STDOUT,
                    env={**os.environ, "NO_PROXY": "127.0.0.1"},
                )
                try:
                    said, _ = await running.communicate()
                finally:
                    if running.returncode is None:
                        running.kill()
                        await running.wait()
                assert running.returncode is not None
                return running.returncode, said.decode(errors="replace")
        finally:
            await store.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m lab.fuzz_schema")
    parser.add_argument("--examples", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--phases", default="examples,coverage,fuzzing")
    chosen = parser.parse_args()
    status, said = asyncio.run(hold(chosen.examples, chosen.seed, chosen.phases))
    print(said)
    return status


if __name__ == "__main__":
    sys.exit(main())
