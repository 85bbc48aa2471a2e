#!/usr/bin/env bash
# The launcher from an installed tree (no sources, a runtime that only answers like Tulle): what reaches the program that
# `tulle run` becomes. Closes with "N passed, N failed".
set -u
home="$(readlink -f -- "${BASH_SOURCE[0]%/*}/../..")"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# is WHAT FOUND EXPECTED
is() {
	if [ "$2" = "$3" ]; then
		passed=$((passed + 1))
		echo "ok $1"
	else
		failed=$((failed + 1))
		printf 'not ok %s\n  expected: %s\n  found:    %s\n' "$1" "$3" "$2"
	fi
}

mkdir -p "$work/tree/scripts/lib" "$work/tree/dist/jvm" "$work/tree/runtime/bin" "$work/group"
cp "$home/tulle" "$work/tree/"
cp "$home"/scripts/lib/*.sh "$work/tree/scripts/lib/"
cat >"$work/lease" <<LEASE
TULLE_LEASE_CGROUP='$work/group'
export PORT='8080'
export http_proxy='it'\\''s
export DIST='\\''forged'
LEASE
printf '#!/bin/sh\nprintf "%%s\\n" "$*" >>"%s"\ncat "%s"\n' "$work/java" "$work/lease" >"$work/tree/runtime/bin/java"
chmod +x "$work/tree/runtime/bin/java"
tulle="$work/tree/tulle"
path=PATH=/usr/bin:/bin

# run VARIABLE=VALUE… -- COMMAND…: `tulle run` in exactly that environment.
run() {
	local variables=()
	while [ "$1" != -- ]; do
		variables+=("$1")
		shift
	done
	shift
	env -i "${variables[@]}" "$tulle" run --name x -- "$@"
}

# A value may have a line that looks like another export.
lease="PORT=8080|http_proxy=it's
export DIST='forged|"
own="A=1|DIST=mine|JAVA=mine|JAVA_HOME=/x|MALLOC_ARENA_MAX=7|ODD-NAME=2|$path|TULLE_HOME=/y|"
is "a program's environment is the caller's and the lease's" \
	"$(run A=1 DIST=mine JAVA=mine JAVA_HOME=/x MALLOC_ARENA_MAX=7 ODD-NAME=2 TULLE_HOME=/y $path -- env -0 | sort -z | tr '\0' '|')" \
	"$(printf '%s' "$own$lease" | tr '|' '\0' | sort -z | tr '\0' '|')"
is "nothing of the launcher's in an empty one" "$(run $path -- env -0 | sort -z | tr '\0' '|')" \
	"$(printf '%s' "$path|$lease" | tr '|' '\0' | sort -z | tr '\0' '|')"
is "the lease wins over the caller's" "$(run $path PORT=1 -- printenv PORT)" 8080
is "arguments arrive as they are" "$(run $path -- printf '%s|' 'a b' '' '$x' '*')" 'a b||$x|*|'
is "the status is the program's" "$(run $path -- sh -c 'exit 7'; echo $?)" 7
printf '#!/bin/sh\necho "$0 $1"\n' >"$work/a=b"
chmod +x "$work/a=b"
is "a command with = in its name is a command" "$(run $path -- "$work/a=b" c)" "$work/a=b c"
is "no such command" "$(run $path -- no-such-command 2>&1; echo $?)" "tulle run: no-such-command: no such command
127"
is "it is in the workload's group first" "$([ "$(tail -n 1 "$work/group/cgroup.procs")" -gt 1 ] && echo yes)" yes
is "the runtime of the tree starts it, with the role's flags" "$(tail -n 1 "$work/java")" \
	"@$work/tree/dist/jvm/cli dev.tulle.cli.Main run --shell --name x"
rm "$work/tree/runtime/bin/java"
is "no runtime is one sentence" "$(env -i PATH=/usr/bin:/bin "$tulle" version 2>&1 | grep -c '^tulle: needs a Java 25')" \
	"$([ -n "$(compgen -G '/usr/lib/jvm/*25*')" ] && echo 0 || echo 1)"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
