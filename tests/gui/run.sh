#!/usr/bin/env bash
# Runs tests/gui in a real Blender window on a virtual screen, inside a small Debian system of its own:
#   tests/gui/run.sh [FOLDER] [PYTEST'S ARGUMENTS]
# FOLDER (by default in the user's cache) keeps that system, 1.1 GB with the newest Blender that Debian carries; delete it
# to have it made anew. SUITE=stable takes the Blender of Debian's release. Pictures of the screen come to out/gui.
# Needs root and a Debian archive among apt's sources. Where it cannot run it says "skipped" and why, and exits with 0.
set -euo pipefail
cd "$(dirname "$0")/../.."
suite=${SUITE:-sid}
folder=${1:-}
folder=${folder:-${XDG_CACHE_HOME:-$HOME/.cache}/otsynth-gui}/$suite
shift $(($# > 0))
root=$folder/root
packages=blender,python3-numpy,python3-cattr,python3-requests,python3-zstandard,python3-pytest,python3-pil
packages+=,xvfb,xauth,xdotool,x11-utils,x11-apps,imagemagick,libgl1-mesa-dri,libegl1,libgl1,ca-certificates

skip() {
    echo "tests/gui: skipped: $*"
    exit 0
}

say() { echo "tests/gui: $*"; }

mirror_of() { # the first Debian archive among apt's sources
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | sed -n '1s:/$::p'
}

make_root() {
    command -v apt-get >/dev/null || skip "this machine has no apt to get Blender with"
    [ -n "$(mirror_of)" ] || apt-get update -qq || true
    mirror=$(mirror_of)
    [ -n "$mirror" ] || skip "no Debian archive among apt's sources, or it cannot be reached"
    mkdir -p "$folder"
    /usr/lib/apt/apt-helper -o Acquire::Retries=1 -o Acquire::http::Timeout=20 \
        download-file "$mirror/dists/$suite/InRelease" "$folder/reached" >/dev/null 2>&1 ||
        skip "apt's Debian archive cannot be reached"
    if ! command -v mmdebstrap >/dev/null; then
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends mmdebstrap
    fi
    say "making $root (a few minutes, 1.1 GB)"
    rm -rf --one-file-system "$root"
    mmdebstrap --quiet --mode=root --variant=apt --include="$packages" \
        --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Apt::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' "$suite" "$root" "$mirror" >"$folder/log" 2>&1 || {
        tail -n 20 "$folder/log"
        say "making the system failed; all that was said is in $folder/log"
        exit 1
    }
    chroot "$root" apt-get clean
    echo "$packages" >"$folder/made"
}

[ "$(id -u)" = 0 ] || skip "needs root, to change into a system of its own"
[ "$(cat "$folder/made" 2>/dev/null)" = "$packages" ] || {
    rm -f "$folder/made"
    make_root
}

python3 build.py
rm -rf "$root/otsynth"
mkdir -p "$root/otsynth/out" out
cp dist/otsynth-*.zip "$root/otsynth/otsynth.zip"
cp -r tests/gui "$root/otsynth/gui"
wall=../shared/textures/color/brick_wall.png # else the tests draw one
[ ! -f "$wall" ] || cp "$wall" "$root/otsynth/wall.png"

chroot "$root" blender --version | head -n 1
code=0
timeout --kill-after=30 1200 chroot "$root" /usr/bin/env -i PATH=/usr/bin:/bin LANG=C.UTF-8 OTSYNTH_GUI=/otsynth \
    python3 -m pytest -q -ra -p no:cacheprovider --durations=0 "$@" /otsynth/gui || code=$?
rm -rf out/gui
cp -r "$root/otsynth/out" out/gui
say "pictures of the screen are in out/gui"
exit $code
