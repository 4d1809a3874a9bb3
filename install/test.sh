#!/bin/bash
# Runs all checks and tests, from nothing:
#
#     ./install/test.sh                    everything
#     ./install/test.sh tests/test_x.py    arguments go to pytest
#     ./install/test.sh --quick            checks, and the tests that take seconds: once .venv is
#                                          there, without GIMP, root or network, in under a minute
#
# Makes .venv in the checkout with all that the tests need, and below .gimp-roots two disposable
# Debian roots with GIMP 3.0 and 3.2. A second run reuses both. Where such roots cannot be made, the
# tests in real GIMP are skipped and say so; with NEURAL_STYLE_REQUIRE_GIMP=1 that is a failure.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
checkout=$PWD
# chroot and its like live where an ordinary user does not look
export PATH="$PATH:/usr/sbin:/sbin"
unset PYTHONHOME PYTHONPATH VIRTUAL_ENV
# Whoever gave pip a folder of wheels means uv, too.
export UV_FIND_LINKS="${UV_FIND_LINKS:-${PIP_FIND_LINKS:-}}"
[ -n "$UV_FIND_LINKS" ] || unset UV_FIND_LINKS
# uv's own list of certificates knows nothing of a company's proxy; the system's does, if it has one.
[ ! -e /etc/ssl/certs/ca-certificates.crt ] || export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-1}"
export UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-300}" PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }

die() {
    printf 'Error: %s\n' "$@" >&2
    exit 1
}

# --- .venv ----------------------------------------------------------------------------------------

# The interpreter itself, not a link or shim: a root that it is bound into has links of its own.
find_python() {
    local name real
    for name in python3.12 python3.13 python3.11 python3.14 python3; do
        real=$("$name" -I -c 'import os, sys
if not (3, 11) <= sys.version_info < (3, 15): sys.exit(1)
print(os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable))' 2>/dev/null) || continue
        echo "$real"
        return
    done
    return 1
}

make_venv() { # PYTHON
    local apt="$1-venv"
    rm -rf .venv
    "$1" -m venv .venv 2>/dev/null && return
    # Debian keeps the part that this needs in a package of its own.
    rm -rf .venv
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq || true
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            "$(basename "$apt")" >/dev/null || true
        "$1" -m venv .venv && return
    fi
    die "$1 cannot make environments. Install $(basename "$apt"), then run this again."
}

retry() {
    "$@" || { sleep 5 && "$@"; } || { sleep 20 && "$@"; }
}

fill_venv() {
    local python="$checkout/.venv/bin/python" uv="$checkout/.venv/bin/uv" options=()
    retry "$python" -m pip install --quiet -c install/constraints.txt uv
    # The wheels of PyTorch's own index are ten times smaller, where it answers.
    if UV_HTTP_RETRIES=0 UV_HTTP_TIMEOUT=10 UV_HTTP_CONNECT_TIMEOUT=8 timeout 20 "$uv" pip install \
        --quiet --python "$python" --dry-run --no-deps --torch-backend=cpu torch 2>/dev/null; then
        options=(--torch-backend=cpu)
    fi
    retry "$uv" pip install --quiet --python "$python" -c install/constraints.txt \
        "${options[@]}" --group test --group lint --editable .
}

prepare_venv() {
    local python stamp
    python=$(find_python) || die "Python 3.11 or newer is needed. Install it, then run this again."
    stamp=$({ echo "$python" && cat pyproject.toml install/constraints.txt; } | sha256sum)
    if [ "$(cat .venv/complete 2>/dev/null)" = "$stamp" ]; then
        return
    fi
    say "Making .venv with $python"
    make_venv "$python"
    fill_venv
    echo "$stamp" >.venv/complete
}

# --- GIMP -----------------------------------------------------------------------------------------

roots=("$checkout/.gimp-roots/trixie" "$checkout/.gimp-roots/forky")
roots_log="$checkout/.gimp-roots/make.log"

make_roots() {
    local root
    for root in "${roots[@]}"; do
        install/gimp_root.sh make "$(basename "$root")" "$root" || return 1
    done
}

why_no_roots() {
    if [ "$(uname)" != Linux ]; then
        echo "GIMP is tested in Linux roots, and this is $(uname)"
    elif [ "$(id -u)" != 0 ]; then
        echo "making and entering the roots with GIMP needs root's rights"
    fi
}

# What says most in the least time: maths against its formulas, plans, protocol, texts, documents.
quick_tests=(bare_edges choice color convolution docs few_bits layout minimizers plan protocol resample
    salience session terms texts)
quick=
if [ "${1:-}" = --quick ]; then
    quick=1
    shift
    for name in "${quick_tests[@]}"; do
        set -- "$@" "tests/test_$name.py"
    done
fi

maker= problem=
if [ -z "$quick" ]; then
    mkdir -p .gimp-roots
    problem=$(why_no_roots)
fi
if [ -z "$quick$problem" ]; then
    say "Making the roots with GIMP 3.0 and 3.2, or reusing them"
    set -m # a process group of its own, so that it can be ended with all its children
    make_roots >"$roots_log" 2>&1 </dev/null &
    maker=$!
    set +m
    trap 'kill -- "-$maker" 2>/dev/null || true' EXIT
fi

prepare_venv
bin=$checkout/.venv/bin

failed=()
check() { # NAME COMMAND...
    local name=$1
    say "$name"
    shift
    "$@" || failed+=("$name")
}

check ruff "$bin/ruff" check .
check format "$bin/ruff" format --check .
check mypy "$bin/mypy"
check walls env PYTHONPATH=gimp_plugin/neural_style "$bin/lint-imports"

if [ -n "$maker" ]; then
    say "Waiting for the roots"
    if wait "$maker"; then
        NEURAL_STYLE_GIMP_ROOTS=$(IFS=: && echo "${roots[*]}")
        export NEURAL_STYLE_GIMP_ROOTS
    else
        tail -n 5 "$roots_log" >&2
        problem=$(tail -n 1 "$roots_log")
    fi
    trap - EXIT
fi
if [ -n "$problem" ]; then
    echo "No GIMP to test in: $problem"
    if [ "${NEURAL_STYLE_REQUIRE_GIMP:-}" != 1 ]; then
        echo "The tests in real GIMP are skipped."
    fi
fi

# Two at a time, one for each GIMP, with half of the processors each.
cores=$("$bin/python" -c 'import os; print(os.cpu_count() or 1)')
if [ $# = 0 ] && [ "$cores" -gt 1 ]; then
    export OMP_NUM_THREADS=$((cores / 2))
    set -- --numprocesses 2 --dist loadgroup
fi
check pytest "$bin/python" -m pytest "$@"
if [ ${#failed[@]} != 0 ]; then
    say "Failed: ${failed[*]}"
    exit 1
fi
say "All passed"
