#!/usr/bin/env bash
# Runs the node suite in a Python environment of its own, made at the first run. Arguments: those of node_suite.py.
# Exit code 77: the environment cannot be made, so nothing was tested.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
venv=${AUTOTP_NODE_SUITE_VENV:-$here/../../build/venv_node_suite}
if ! cmp -s "$here/requirements.txt" "$venv/installed.txt"; then
  python3 -m venv --clear "$venv" && "$venv/bin/pip" install --quiet -r "$here/requirements.txt" ||
    { echo "SKIPPED: the pinned packages cannot be installed"; exit 77; }
  cp "$here/requirements.txt" "$venv/installed.txt"
fi
exec "$venv/bin/python" -W ignore "$here/node_suite.py" "$@"
