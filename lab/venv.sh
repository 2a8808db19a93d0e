#!/usr/bin/env bash
# Makes the virtual environment VENV from the hashed REQUIREMENTS, and puts this tree into it. Safe to call again.
set -euo pipefail
venv=$1 requirements=$2
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  python=$(command -v python3.11 || command -v python3)
  rm -rf "$venv"
  if ! "$python" -m venv "$venv" >/dev/null 2>&1; then
    # Debian keeps ensurepip in a package of its own.
    echo "  installing python3-venv (Debian)"
    (apt-get install -y -qq --no-install-recommends python3-venv || { apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv; }) >/dev/null
    rm -rf "$venv"
    "$python" -m venv "$venv"
  fi
fi
stamp=$(sha256sum "$requirements" | cut -d' ' -f1)
if [ "$(cat "$venv/.requirements" 2>/dev/null || true)" != "$stamp" ]; then
  # The list is complete, so nothing is left to resolve: a resolver would ask for "coverage[toml]", find a newer release
  # than the pinned one, and refuse it for want of a hash.
  "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r "$requirements"
  "$venv/bin/python" -m pip check >/dev/null
  echo "$stamp" >"$venv/.requirements"
fi
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e . 
