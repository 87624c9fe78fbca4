#!/usr/bin/env bash
# Usage: docker_sync.sh FOLDER [DOCKER-RUN-OPTION...]
# One sync with the image, on a machine that has nothing but docker. FOLDER holds config.json and keeps everything
# between syncs (see one_sync.py, which the image's own Python runs). IMAGE names another image.
set -euo pipefail

folder=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
shift

# The user of FOLDER, so that the files stay yours; no root, no capabilities, nothing writable but FOLDER and /tmp.
exec docker run --rm --init --user "$(stat -c %u:%g "$folder")" --cap-drop ALL --security-opt no-new-privileges \
    --read-only --tmpfs /tmp --volume "$folder:/sync" --volume "$here/one_sync.py:/one_sync.py:ro" "$@" \
    --entrypoint python "${IMAGE:-airbyte/source-linkless:dev}" /one_sync.py /sync
