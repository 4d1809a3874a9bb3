#!/bin/bash
# A disposable Debian root that holds a real GIMP 3, for the demo and for the tests.
#
#   gimp_root.sh make SUITE DIR     build DIR, or reuse it (trixie: GIMP 3.0, forky: GIMP 3.2)
#   gimp_root.sh run DIR [--bind PATH]... [--env NAME=VALUE]... [--] COMMAND...
#                                   run COMMAND in it; PATHs of this machine appear at the same place
#
# `run` gives the command mount and process namespaces of its own: when it ends, so do all the
# processes it has started, and nothing is left mounted. Removing DIR with rm -rf is always safe.
set -euo pipefail

PACKAGES=gimp,python3-gi,gir1.2-gtk-3.0,xvfb,xdotool,dbus-x11,openbox,imagemagick,procps,fonts-wqy-microhei
SELF=$(readlink -f "$0")

die() {
    printf 'gimp_root: %s\n' "$*" >&2
    exit 1
}

# Sets AS_ROOT to the command prefix that gives root's rights ("env" where we have them).
need_root() {
    if [ "$(id -u)" = 0 ]; then
        AS_ROOT=(env)
    elif command -v sudo >/dev/null; then
        AS_ROOT=(sudo)
    else
        die "this step needs root's rights. Run it as root, or install sudo."
    fi
    command -v unshare >/dev/null || die "the command 'unshare' is missing. Install util-linux."
    "${AS_ROOT[@]}" unshare --mount true 2>/dev/null ||
        die "this machine does not allow new mount namespaces (a container without CAP_SYS_ADMIN?)."
}

is_complete() { compgen -G "$1/usr/bin/gimp-console-3*" >/dev/null; }

ensure_mmdebstrap() {
    command -v mmdebstrap >/dev/null && return
    command -v apt-get >/dev/null ||
        die "mmdebstrap is missing and this is not a Debian-like system. Install mmdebstrap first."
    echo "gimp_root: installing mmdebstrap" >&2
    "${AS_ROOT[@]}" apt-get update -qq || true
    "${AS_ROOT[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends mmdebstrap debian-archive-keyring >&2 ||
        die "mmdebstrap could not be installed. Install it by hand (apt-get install mmdebstrap)."
}

build() { # SUITE DIR
    # In a mount namespace, so that even a killed build leaves nothing mounted below the root.
    local try options=()
    for try in 1 2 3; do
        # Old mirrors and snapshots carry release files whose date has passed.
        [ "$try" = 1 ] || options=("--aptopt=Acquire::Check-Valid-Until \"false\"")
        "${AS_ROOT[@]}" rm -rf --one-file-system "$2"
        if "${AS_ROOT[@]}" env LC_ALL=C.UTF-8 unshare --mount mmdebstrap --variant=minbase \
            --include="$PACKAGES" "${options[@]}" "$1" "$2" >&2; then
            return 0
        fi
        echo "gimp_root: attempt $try to build a $1 root failed" >&2
    done
    return 1
}

make_root() { # SUITE DIR
    [ $# = 2 ] || die "usage: gimp_root.sh make SUITE DIR"
    local suite=$1 dir
    dir=$(readlink -m "$2")
    is_complete "$dir" && return 0
    [ -e "$dir" ] && die "$dir exists but holds no GIMP. Move it away, then try again."
    need_root
    mkdir -p "$(dirname "$dir")"
    exec 9>"$dir.lock"
    flock 9 # somebody else may be building the same root
    is_complete "$dir" && return 0
    ensure_mmdebstrap
    echo "gimp_root: building $dir ($suite with GIMP 3; about 1 GB, some minutes)" >&2
    build "$suite" "$dir.tmp" || die "the $suite root could not be built: is the network reachable?"
    "${AS_ROOT[@]}" mv "$dir.tmp" "$dir"
    is_complete "$dir" || die "$suite has no GIMP 3."
}

run_in_root() { # DIR [--bind PATH]... [--env NAME=VALUE]... [--] COMMAND...
    [ $# -ge 2 ] || die "usage: gimp_root.sh run DIR [--bind PATH]... [--env NAME=VALUE]... -- COMMAND"
    local dir
    dir=$(readlink -f "$1") || die "there is no root at $1."
    [ -d "$dir/usr" ] || die "there is no root at $1. Make it with: gimp_root.sh make SUITE $1"
    shift
    need_root
    exec "${AS_ROOT[@]}" unshare --mount --pid --fork --kill-child -- \
        bash "$SELF" inside "$dir" "$@"
}

# Runs as process 1 of the new namespaces: when it ends, the kernel ends all the others.
inside() { # DIR [--bind PATH]... [--env NAME=VALUE]... [--] COMMAND...
    local root=$1 path
    local environment=(HOME=/root USER=root LANG=C.UTF-8 PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin)
    shift
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount --rbind /sys "$root/sys"
    mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
    while [ $# -gt 0 ]; do
        case $1 in
        --bind)
            path=$(readlink -f "$2") || die "cannot bind $2: it does not exist."
            if [ -d "$path" ]; then
                mkdir -p "$root$2"
            else
                mkdir -p "$(dirname "$root$2")"
                [ -e "$root$2" ] || : >"$root$2"
            fi
            mount --rbind "$path" "$root$2"
            shift 2
            ;;
        --env)
            environment+=("$2")
            shift 2
            ;;
        --)
            shift
            break
            ;;
        --*) die "unknown option $1" ;;
        *) break ;;
        esac
    done
    [ $# -gt 0 ] || die "no command given."
    # Not exec: a process 1 ignores signals it has no handler for, and has to collect orphans.
    chroot "$root" /usr/bin/env -i "${environment[@]}" "$@"
}

case ${1-} in
make) shift && make_root "$@" ;;
run) shift && run_in_root "$@" ;;
inside) shift && inside "$@" ;;
*) die "usage: gimp_root.sh make SUITE DIR | run DIR [--bind PATH]... [--env NAME=VALUE]... -- COMMAND" ;;
esac
