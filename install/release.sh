#!/bin/bash
# Builds what people download, the same bytes every time:
#
#     ./install/release.sh DIR                    zips for each system, wheel, sdist, SHA256SUMS
#     ./install/release.sh DIR --weights FILE     the pretrained network in each zip, too
#     ./install/release.sh --help
#
# Each zip holds one folder, neural_style/, which a user puts among GIMP's plug-ins. Takes the Python
# and uv of .venv (./install/test.sh --quick makes it), else those on the PATH.
set -euo pipefail

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
unset PYTHONHOME PYTHONPATH VIRTUAL_ENV
[ ! -d "$checkout/.venv/bin" ] || export PATH="$checkout/.venv/bin:$PATH"

for name in python3.12 python3.13 python3.14 python3.11 python3 python; do
    if "$name" -I -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null; then
        exec "$name" -B -E -s "$checkout/install/release.py" "$@"
    fi
done
echo "Error: Python 3.11 or newer is needed." >&2
echo "Install it, or run ./install/test.sh --quick first, then run this again." >&2
exit 1
