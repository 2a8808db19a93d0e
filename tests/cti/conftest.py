from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cti.conversations import short_lags

__all__ = ["short_lags"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 with its key, made for this run."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("needs the openssl program")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    made = subprocess.run(
        [program, "req", "-x509", *kind, *names, "-keyout", "-", "-out", "-"],
        capture_output=True,
        timeout=30,
        check=True,
    )
    path.write_bytes(made.stdout)
    return path
