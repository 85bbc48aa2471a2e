#!/usr/bin/env bash
# What the systemd units call beside the launcher: unit.sh ready | stopped | proxy INSTANCE | release WORKLOAD
set -euo pipefail
run="${TULLE_RUN_DIR:-/run/tulle}"

# alive FILE: the pid in a pid file, if that process lives.
alive() {
	local pid=""
	[ -r "$1" ] && read -r pid _ <"$1" && [ -n "$pid" ] && [ -d "/proc/$pid" ] && printf '%s\n' "$pid"
}

case "${1-}" in
ready)
	# The unit's own limit of time ends this when the mesh does not come.
	until jvm="$(alive "$run/up.pid")" && [ "$(cat "$run/ready" 2>/dev/null)" = "$jvm" ]; do
		kill -0 "${MAINPID:-$$}" 2>/dev/null || exit 1
		sleep 0.1
	done
	;;
stopped)
	if pid="$(alive "$run/up.pid")"; then
		kill -KILL "$pid"
	fi
	;;
proxy)
	# tulle.service has written the command, an argument a line, and moves this process into the proxy's control group:
	# only then are its sockets the mesh's.
	mapfile -t command <"$run/proxy.command-$2"
	for ((tries = 0; tries < 200; tries++)); do
		if [[ "$(sed -n 's/^0:://p' /proc/self/cgroup)" == */proxy ]]; then
			exec "${command[@]}"
		fi
		sleep 0.05
	done
	echo "unit.sh: proxy $2 was not moved into the mesh's control group within 10 s" >&2
	exit 71
	;;
release)
	"$(readlink -f -- "${BASH_SOURCE[0]%/*}/../..")/tulle" release "$2" >/dev/null 2>&1 || true
	;;
*)
	echo "unit.sh: expected ready, stopped, proxy INSTANCE or release WORKLOAD" >&2
	exit 2
	;;
esac
