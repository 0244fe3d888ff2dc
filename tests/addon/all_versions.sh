#!/usr/bin/env bash
# Runs tests/addon in every version of Blender's module, each in a virtual environment of its own under FOLDER:
#   tests/addon/all_versions.sh [FOLDER]
# 4.2, 4.5 and 5.0 need python3.11, 5.2 needs python3.13; a version whose Python is not there is named and left out.
set -uo pipefail
cd "$(dirname "$0")/../.."
folder=${1:-.venv-versions}
failed=0
uv=$(grep '^uv==' tests/requirements.txt)
while read -r version python numpy; do
    if ! command -v "$python" >/dev/null || ! "$python" -c '' 2>/dev/null; then
        echo "== bpy $version: left out, there is no $python"
        continue
    fi
    venv=$folder/$version
    if [ ! -f "$venv/installed" ]; then
        "$python" -m venv --clear "$venv" &&
            "$venv/bin/python" -m pip install --quiet --no-compile "bpy==$version" "numpy$numpy" pytest "$uv" &&
            touch "$venv/installed" || { failed=1; continue; }
    fi
    echo "== bpy $version"
    # 4.2 and 4.5 can hang at exit, after the last test: the time limit makes that a failure and not a standstill.
    timeout 900 "$venv/bin/python" -m pytest -q -p no:cacheprovider tests/addon || { failed=1; echo "== bpy $version: FAILED"; }
done <<'VERSIONS'
4.2.23 python3.11 >=1.24,<2
4.5.15 python3.11 >=1.26,<2
5.0.1 python3.11 >=1.26,<2
5.2.3 python3.13 >=2.2,<3
VERSIONS
exit $failed
