#!/bin/bash
# Shows the filter in a real GIMP 3, from nothing:
#
#     ./install/demo.sh                  repaint the sample photo in the sample style
#     ./install/demo.sh PHOTO STYLE      the same with your own pictures
#
# Installs the engine and the plug-in, gets a GIMP 3 (the system's, or a disposable one), opens the
# photo in it, runs the filter, and leaves in demo/: result.png, result.xcf and before-after.png.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

if [ $# != 0 ] && [ $# != 2 ]; then
    echo "Error: give a photo and a style picture, or nothing." >&2
    echo "For example: ./install/demo.sh photo.jpg painting.jpg" >&2
    exit 2
fi
for picture in "$@"; do
    if [ ! -f "$picture" ] || [ ! -r "$picture" ]; then
        echo "Error: there is no picture $picture that can be read." >&2
        echo "Check the name, and put quotes around a name with spaces." >&2
        exit 1
    fi
done

# chroot and its like live where an ordinary user does not look
export PATH="$PATH:/usr/sbin:/sbin"
SECONDS=0
"$here/install.sh" --yes
python=$("$here/install.sh" --print-python)
exec "$python" -E -s "$here/demo.py" --install-seconds "$SECONDS" -- "$@"
