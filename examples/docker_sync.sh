#!/usr/bin/env bash
# Usage: docker_sync.sh FOLDER [DOCKER-RUN-OPTION...]
# One sync with the image, on a machine that has nothing but docker (Linux or macOS). FOLDER holds config.json and keeps
# everything between syncs (see one_sync.py, which the image's own Python runs). IMAGE names another image.
set -euo pipefail

fail() {
    echo "docker_sync: $*" >&2
    exit 1
}

[ $# -gt 0 ] || fail "name the folder that holds config.json: docker_sync.sh FOLDER"
[ -d "$1" ] || fail "$1 is not a folder."
[ -f "$1/config.json" ] || fail "$1 has no config.json."
command -v docker >/dev/null || fail "docker is not installed, or not on the PATH."
folder=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
[ -f "$here/one_sync.py" ] || fail "one_sync.py is missing beside this script."
owner=$(ls -ldn "$folder" | awk '{print $3 ":" $4}') # `stat` has other options on macOS
shift

# The user of FOLDER, so that the files stay yours; no root, no capabilities, nothing writable but FOLDER and /tmp.
exec docker run --rm --init --user "$owner" --cap-drop ALL --security-opt no-new-privileges \
    --read-only --tmpfs /tmp --volume "$folder:/sync" --volume "$here/one_sync.py:/one_sync.py:ro" "$@" \
    --entrypoint python "${IMAGE:-airbyte/source-linkless:dev}" /one_sync.py /sync
