#!/usr/bin/env bash
# Makes this checkout ready to run, or ready to test, and costs a few milliseconds where it already is.
#
#   tools/setup.sh run|test         do what is missing
#   tools/setup.sh check run|test   exit 0 if nothing is missing, else 1; changes nothing
#   tools/setup.sh stamp run|test   the file that says "done" for this pyproject.toml, Python and folder
#   tools/setup.sh clean            remove the virtual environment and caches; never runs
#
# VENV=FOLDER         another virtual environment than .venv
# PYTHON=PROGRAM      the Python to make it with
# SKIP_SYSTEM=1       don't look for system libraries (they may lie where ldconfig does not look)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

VENV=${VENV:-.venv}
PATH=$PATH:/usr/sbin:/sbin # ldconfig lies there
TORCH=2.13.0               # the exact release that torch~=2.13.0 in pyproject.toml begins with; see install()

say() { printf '%s\n' "$*" >&2; }
stop() { say "$@"; exit 1; }

# --- system libraries -------------------------------------------------------------------------------------------------
any() { compgen -G "${1/#\~/${HOME:-/root}}" >/dev/null; }

# Whether one of these is there: a shared object that ldconfig knows ($known), or files of a pattern.
have_any() {
    local what
    for what in "$@"; do
        if [[ $what == */* ]]; then any "$what"; else [[ $known == *"$what "* ]]; fi && return
    done
    return 1
}

# Prints the packages that this machine lacks, one line each.
missing_libraries() {
    [[ -z ${SKIP_SYSTEM:-} && $(uname -s) == Linux ]] && command -v ldconfig >/dev/null || return 0
    local known line parts=' base '
    known=$(ldconfig -p)
    [[ $kind == run && -n ${DISPLAY:-}${WAYLAND_DISPLAY:-} ]] && parts+='x11 wayland '
    while read -ra line; do
        [[ $parts != *" ${line[0]} "* ]] || have_any "${line[@]:2}" || echo "${line[1]}"
    done <assets/system_libraries.txt
}

# Installs packages where it may; otherwise says the exact line and stops.
install_packages() {
    local line="apt-get install -y --no-install-recommends $*" as=()
    if ! command -v apt-get >/dev/null; then
        stop "Missing on this machine, by their Debian names: $*" \
            $'\nInstall them with your system\'s package manager, then call make again (SKIP_SYSTEM=1 skips this check).'
    fi
    if [[ $(id -u) != 0 ]]; then
        as=(sudo -n)
        command -v sudo >/dev/null && sudo -n true 2>/dev/null ||
            stop "Missing system packages, and no right to install them. Please run this, then call make again:" \
                $'\n\n    sudo' "$line"$'\n'
    fi
    say "      apt: $*"
    export DEBIAN_FRONTEND=noninteractive
    # An old package list may name files that are gone, a bare machine has none: refresh it first.
    "${as[@]}" apt-get update -qq >&2 || say "      the package list could not be refreshed; trying with the old one"
    # shellcheck disable=SC2086
    "${as[@]}" env DEBIAN_FRONTEND=noninteractive $line -qq >/dev/null ||
        stop "Installing them failed. Please run this, see what it says, then call make again:"$'\n\n    sudo' "$line"$'\n'
}

# --- Python -----------------------------------------------------------------------------------------------------------
# Prints "3.11" for a Python that works and is new enough.
version_of() {
    "$1" -I -S -c 'import sys; v = sys.version_info; print("%d.%d" % v[:2]) if v >= (3, 11) else sys.exit(1)' 2>/dev/null
}

# Sets python and version: what PYTHON names, or the machine's own python3 if new enough, or the newest found. One that
# can make virtual environments goes before one that cannot.
find_python() {
    local name first='' candidates=(python3 python3.13 python3.12 python3.11 python3.14)
    [[ -n ${PYTHON:-} ]] && candidates=("$PYTHON")
    for name in "${candidates[@]}"; do
        version_of "$name" >/dev/null || continue
        first=${first:-$name}
        if "$name" -I -c 'import ensurepip, venv' 2>/dev/null; then
            first=$name
            break
        fi
    done
    [[ -n $first ]] || stop "Python 3.11 or newer is needed; found: $("${PYTHON:-python3}" --version 2>&1 || true)." \
        $'\nOn Debian 12+ or Ubuntu 24.04+:\n\n    sudo apt-get install -y python3 python3-venv\n\nor name one: make PYTHON=/path/to/python3.12 …'
    python=$first
    version=$(version_of "$python")
}

# --- the virtual environment ------------------------------------------------------------------------------------------
# Two markers keep a set-up that was cut short from passing for a finished one: .making while the environment itself is
# made, .installing while pip works in it.
stamp() { # $1: run or test
    local python_version
    python_version=$(version_of "$VENV/bin/python" || echo none)
    echo "$VENV/.installed-$1-$({ cat pyproject.toml && echo "$python_version $TORCH $PWD"; } | sha256sum | cut -c1-16)"
}

installed() {
    [[ ! -e $VENV/.making && ! -e $VENV/.installing ]] || return 1
    [[ -e $(stamp "$kind") ]] || { [[ $kind == run ]] && [[ -e $(stamp test) ]]; } # what can be tested can be run
}

remove_venv() {
    [[ -e $VENV ]] || return 0
    [[ -e $VENV/pyvenv.cfg || -e $VENV/.making || -z $(ls -A "$VENV") ]] ||
        stop "$VENV is not a virtual environment; it is left alone. Name another: make VENV=FOLDER …"
    rm -rf "$VENV"
}

make_venv() {
    if [[ ! -e $VENV/.making ]] && version_of "$VENV/bin/python" >/dev/null && "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then
        return
    fi
    remove_venv
    find_python
    mkdir -p "$VENV"
    touch "$VENV/.making"
    "$python" -m venv "$VENV" || stop "$python could not make a virtual environment in $VENV; see above."
    rm "$VENV/.making"
}

# After a cut-short pip: a package without a complete RECORD is forgotten, so that pip installs it again.
forget_broken_packages() {
    "$VENV/bin/python" -I - <<'PYTHON'
import importlib.metadata
import shutil
import sysconfig

site = sysconfig.get_path("purelib")
for found in list(importlib.metadata.distributions(path=[site])):
    files = found.files
    whole = files and all(
        f.locate().exists() and f.size in (None, f.locate().stat().st_size) for f in files if f.suffix != ".pyc"
    )
    if not whole:
        shutil.rmtree(found._path)
PYTHON
}

pip() { "$VENV/bin/python" -m pip --quiet --disable-pip-version-check --no-input "$@"; }

install() {
    local extra='' began=$SECONDS packages
    say "[1/4] system libraries"
    packages=$(missing_libraries)
    if ! version_of "$VENV/bin/python" >/dev/null; then
        find_python
        "$python" -I -c 'import ensurepip, venv' 2>/dev/null || packages+=" python$version-venv"
    fi
    # shellcheck disable=SC2086
    [[ -z $packages ]] || install_packages $packages

    say "[2/4] virtual environment in $VENV"
    make_venv
    [[ ! -e $VENV/.installing ]] || forget_broken_packages
    rm -f "$VENV"/.installed-*
    touch "$VENV/.installing"

    # Exactly this release first: where a CPU build of it is at hand pip takes that, and the packages after it are
    # content. Asked for with the rest, a newer patch release could come, with gigabytes of CUDA libraries.
    say "[3/4] PyTorch (the largest part; with CUDA it takes minutes)"
    pip install "torch==$TORCH" ||
        say "      exactly torch $TORCH is not to be had here; the next step takes what pyproject.toml allows"
    if [[ $kind == test ]]; then
        extra='[test]'
        say "[4/4] Transfer Studio, its libraries and test tools"
    else
        say "[4/4] Transfer Studio and its libraries"
    fi
    pip install --editable ".$extra" || stop "pip could not install the libraries; see above. Call make again to go on."
    rm "$VENV/.installing"
    touch "$(stamp "$kind")"
    say "Ready after $((SECONDS - began)) s."
}

clean() {
    remove_venv
    rm -rf build ./*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache \
        demo-screenshot.png MUJOCO_LOG.TXT
    find . -name __pycache__ -type d -not -path './runs/*' -not -path './.git/*' -prune -exec rm -rf {} +
}

# ----------------------------------------------------------------------------------------------------------------------
trap 'exit 130' INT TERM # pip answers Ctrl-C with an ordinary error; don't go on to the next step
kind=${2:-${1:-}}
case ${1:-} in
    run | test)
        if ! installed || [[ -n $(missing_libraries) ]]; then
            if command -v flock >/dev/null; then # two makes at once: the second waits, then finds all done
                exec 9<tools/setup.sh
                flock --nonblock 9 || { say "Waiting for another set-up of this checkout to end …" && flock 9; }
            fi
            if ! installed; then
                install
            else
                packages=$(missing_libraries)
                # shellcheck disable=SC2086
                [[ -z $packages ]] || install_packages $packages
            fi
        fi
        ;;
    check) installed && [[ -z $(missing_libraries) ]] ;;
    stamp) stamp "$kind" ;;
    clean) clean ;;
    *) stop "usage: tools/setup.sh run|test|check KIND|stamp KIND|clean" ;;
esac
