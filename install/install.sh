#!/bin/sh
# Installs the Neural Style Transfer filter for GIMP 3 on Linux and macOS. Needs no preparation:
#
#     ./install/install.sh                 install, repair or upgrade
#     ./install/install.sh --uninstall     remove everything
#     ./install/install.sh --help
#
# This script only finds a Python that can run install.py, which does the work.
set -eu

script=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)/install.py

# The first Python here that can run install.py. (macOS has a python3 that only offers to install
# something; it fails this test.)
find_python() {
    for name in python3 python3.13 python3.12 python3.14 python3.11 python; do
        if "$name" -E -s -c 'import sys; sys.exit(sys.version_info < (3, 9))' >/dev/null 2>&1; then
            echo "$name"
            return
        fi
    done
}

fetch() { # URL FILE
    if command -v curl >/dev/null 2>&1; then
        curl --silent --show-error --fail --location --connect-timeout 15 --output "$2" "$1"
    else
        wget --quiet --timeout=15 --output-document="$2" "$1"
    fi
}

python=$(find_python)
whole='import ensurepip, venv'
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 &&
    { [ -z "$python" ] || ! "$python" -E -s -c "$whole" >/dev/null 2>&1; }; then
    # Debian keeps a part of it in a package of its own.
    echo "Installing Python from this system's packages …"
    {
        apt-get update
        DEBIAN_FRONTEND=noninteractive \
            apt-get install -y --no-install-recommends python3 python3-venv ca-certificates
    } >/dev/null || true
    python=$(find_python)
fi
if [ -n "$python" ]; then
    exec "$python" -E -s "$script" "$@"
fi

# No Python at all: uv, a single program, can fetch one.
uv=$(command -v uv || true)
if [ -z "$uv" ]; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    if fetch https://astral.sh/uv/install.sh "$folder/uv.sh" 2>/dev/null; then
        UV_UNMANAGED_INSTALL="$folder" sh "$folder/uv.sh" >/dev/null 2>&1 || true
    fi
    uv="$folder/uv"
fi
if [ -x "$uv" ]; then
    status=0
    PATH="$(dirname "$uv"):$PATH" "$uv" run --quiet --no-project --python 3.12 \
        python -E -s "$script" "$@" || status=$?
    exit "$status"
fi

{
    echo "Error: No Python 3.9 or newer was found, and none could be downloaded."
    echo "Install Python 3.11 or newer (Debian, Ubuntu: sudo apt install python3 python3-venv;" \
        "macOS: python.org), then run this again."
} >&2
exit 1
