#!/usr/bin/env bash
# scripts/install, scripts/uninstall and the units, in a folder instead of a host: what is laid where, that it starts
# without sources or JDK, that a package has and runs the same, what systemd says of the units. Needs the built
# distribution. Closes with "N passed, N failed".
set -u
home="$(readlink -f -- "${BASH_SOURCE[0]%/*}/../..")"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
. "$home/scripts/lib/ok.sh"

# says TEXT COMMAND…: the command's output has the text.
says() {
	local text=$1
	shift
	"$@" 2>&1 | grep -F -- "$text"
}

# exposure UNIT: the score of systemd-analyze security, times ten.
exposure() {
	systemd-analyze security --offline=true "$1" 2>/dev/null | sed -n 's/.*Overall exposure level[^:]*: \([0-9]*\)\.\([0-9]\).*/\1\2/p'
}

at_most() {
	local score
	score="$(exposure "$1")"
	[ -n "$score" ] && [ "$score" -le "$2" ] || { echo "$1: exposure $score tenths, at most $2" && false; }
}

root="$work/root" prefix="$work/root/opt/mesh"
ok "installs below a folder" "$home/scripts/install" --without-runtime --root "$root" --prefix /opt/mesh
ok "paths in it are those it will have" says '"/opt/mesh/dist/lib/tulle-cli-' cat "$prefix/dist/jvm/proxy"
ok "no file of it belongs to the checkout" bash -c "! grep -rIlF -e '$home' '$root' | grep ."
ok "nobody but its owner may write to it" bash -c "! find '$root' -perm /022 ! -type l | grep ."
ok "the command is on the PATH" test "$(readlink "$root/usr/local/bin/tulle")" = /opt/mesh/tulle
ok "neither sources, compilers nor build files" bash -c "! find '$prefix' -name '*.java' -o -name pom.xml -o -name '*.c' | grep ."
ok "own options stay over an upgrade" bash -c "echo TULLE_OPTIONS=mine >'$root/etc/tulle/mesh.env' &&
	'$home/scripts/install' --without-runtime --root '$root' --prefix /opt/mesh && grep -q mine '$root/etc/tulle/mesh.env'"

units="$root/usr/local/lib/systemd/system"
# systemd looks for programs where the unit says: here they are below the folder.
mkdir -p "$work/units"
for unit in "$units"/*; do
	sed "s|/opt/mesh|$prefix|g" "$unit" >"$work/units/${unit##*/}"
done
ok "systemd finds no fault in the units" bash -c "out=\"\$(systemd-analyze verify '$work'/units/* 2>&1 | grep -F '$work')\"; echo \"\$out\"; [ -z \"\$out\" ]"
ok "exposure of the agent's unit is at most 4.0" at_most "$work/units/tulle.service" 40
ok "exposure of the proxy's unit is at most 2.0" at_most "$work/units/tulle-proxy@.service" 20
ok "workloads start after the mesh" says 'After=tulle.service' cat "$units/tulle-workload@.service"

ok "what is not a prefix is refused" says 'expected an absolute path' "$home/scripts/install" --root "$root" --prefix opt
ok "uninstalls" "$home/scripts/uninstall" --root "$root" --prefix /opt/mesh
ok "only the configuration stays" test "$(cd "$root" && find . -type f -o -type l)" = ./etc/tulle/mesh.env
ok "a second time there is nothing" says 'no Tulle is installed' "$home/scripts/uninstall" --root "$root" --prefix /opt/mesh

# The package with a prefix of this test: what it has runs where it was laid.
place="$work/host"
ok "makes a package" "$home/scripts/install" --deb "$work" --prefix "$place"
deb="$(compgen -G "$work/tulle_*.deb")"
ok "it takes its Java along, and asks for no JDK" bash -c "dpkg-deb -f '$deb' Depends | grep -q nftables && ! dpkg-deb -f '$deb' Depends | grep -qiE 'jdk|jre|maven|clang'"
ok "its scripts are shell" bash -c "dpkg-deb -e '$deb' '$work/control' && for s in postinst prerm postrm; do sh -n '$work/control/'\$s && ! grep -q @ '$work/control/'\$s || exit 1; done"
ok "it can be unpacked" dpkg-deb -x "$deb" "$work/unpacked"
mkdir -p "$place" && cp -r "$work/unpacked$place/." "$place/"
ok "it starts on a host without JDK and without sources" says 'tulle ' env -i PATH=/usr/bin:/bin "$place/tulle" version
ok "start-up archives are made where it is installed" "$place/scripts/lib/train.sh"
ok "and are used" bash -c "test -s '$place/dist/aot/node.aot' && env -i PATH=/usr/bin:/bin '$place/tulle' validate '$home/samples/bookinfo/config/virtual-service-all-v1.yaml' '$home/samples/bookinfo/config/destination-rules.yaml'"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
