#!/usr/bin/env bash
# An installation is put over one whose mesh runs, and takes its place with `tulle upgrade`, as on a host that gets a new
# version: workloads stay, no request fails, no connection is lost, and the running version goes on working as itself
# although its files have gone. Installs really, below /opt, /usr/local and /etc, in a mount namespace of its own in which
# those are copies: nothing of the host changes. Needs the built distribution and root. Closes with "N passed, N failed".
#
#   scripts/tests/upgrade.sh [OLDER]   OLDER: another, built checkout, whose version runs first (default: this one)
set -u
home="$(readlink -f -- "${BASH_SOURCE[0]%/*}/../..")"
older="$(readlink -f -- "${1:-$home}")"
if [ "${TULLE_UPGRADE_TEST-}" != inside ]; then
	exec env TULLE_UPGRADE_TEST=inside unshare --mount --propagation private -- "$0" "$older"
fi

mesh=tulle-so-upgrade
work="$(mktemp -d /tmp/tulle-upgrade.XXXXXX)"
chmod 755 "$work"
passed=0 failed=0
. "$home/scripts/lib/ok.sh"
children=()

# Ends what was started here, by its pid, the mesh last, and leaves nothing of it in the kernel.
clear_up() {
	local child
	for child in "${children[@]:1}"; do
		kill "$child" 2>/dev/null
	done
	if [ "${#children[@]}" -gt 0 ]; then
		kill "${children[0]}" 2>/dev/null
		wait "${children[0]}" 2>/dev/null
	fi
	[ ! -x /opt/tulle/tulle ] || tulle detach --all --mesh "$mesh" --run-dir "$work/run" --state "$work/state" >/dev/null 2>&1
	umount /opt /usr/local /etc "$work/layers" 2>/dev/null
	rm -rf "$work"
}
trap clear_up EXIT
trap 'exit 143' TERM INT

mkdir "$work/layers"
mount -t tmpfs -o mode=755 upgrade "$work/layers"
for place in opt usr/local etc; do
	mkdir -p "/$place" "$work/layers/$place/upper" "$work/layers/$place/work"
	mount -t overlay overlay -o "lowerdir=/$place,upperdir=$work/layers/$place/upper,workdir=$work/layers/$place/work" "/$place" ||
		{ echo "not ok /$place cannot be overlaid here: nothing was installed" && echo "0 passed, 1 failed" && exit 1; }
done

tulle() {
	/usr/local/bin/tulle "$@"
}

# of_mesh COMMAND ARGUMENT…: a command of this mesh.
of_mesh() {
	local command=$1
	shift
	tulle "$command" --mesh "$mesh" --run-dir "$work/run" "$@"
}

# soon SECONDS COMMAND…: the command succeeds within that time.
soon() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || { "$@" && return; echo "not in time: $*" && false; return; }
		sleep 0.2
	done
}

# start NAME COMMAND…: in the background, its output in a file of that name.
start() {
	local name=$1
	shift
	"$@" >"$work/$name.log" 2>&1 </dev/null &
	children+=($!)
}

# workload NAME OPTION… -- COMMAND…
workload() {
	local name=$1
	shift
	start "$name" /usr/local/bin/tulle run --mesh "$mesh" --run-dir "$work/run" --name "$name" "$@"
}

pid_of() {
	local pid
	read -r pid _ <"$work/run/$1.pid" && printf '%s\n' "$pid"
}

is_another() {
	[ "$(pid_of "$1")" != "$2" ]
}

stream_goes_on() {
	local before now
	before="$(cat "$work/stream")"
	sleep 1
	now="$(cat "$work/stream")"
	[[ "$now" =~ ^[0-9]+$ && "$before" =~ ^[0-9]+$ ]] && [ "$now" -gt "$before" ] || { echo "$before, then $now" && false; }
}

# none_failed FILE AT_LEAST: its requests, a line each.
none_failed() {
	local asked
	asked="$(grep -c '' "$1")"
	[ "$asked" -gt "$2" ] && ! grep -v '^200 $' "$1" || { echo "of $asked requests" && false; }
}

knows() {
	local known name
	known="$(of_mesh workloads -o json)"
	for name in "$@"; do
		[[ "$known" == *"\"$name\""* ]] || return
	done
}

addresses() {
	of_mesh workloads -o json | grep -oE '"100\.[0-9.]+"' | sort
}

# has_open PID: the process holds every jar of its version, so that it never reads one of another's.
has_open() {
	local jar missing=""
	for jar in /opt/tulle/dist/lib/*.jar; do
		find "/proc/$1/fd" -lname "$jar" | grep -q . || missing="$missing ${jar##*/}"
	done
	[ -z "$missing" ] || { echo "process $1 has not opened$missing" && false; }
}

same() {
	[ "$1" = "$2" ] || { printf 'expected\n%s\nfound\n%s\n' "$1" "$2" && false; }
}

install_from() {
	(cd "$1" && env -u TULLE_HOME scripts/install --without-runtime)
}

ok "installs the older version" install_from "$older"
start up /usr/local/bin/tulle up --mesh "$mesh" --run-dir "$work/run" --state "$work/state" --port-offset 9300
ok "its mesh is ready" soon 90 test -e "$work/run/ready"
program="$home/it/src/test/resources/programs/adoption.py"
workload echo --service echo --port tcp:7000 -- python3 "$program" serve 7000
workload web --service web --port http:9080 -- python3 "$program" web 9080
ok "workloads are known" soon 30 knows echo web
workload stream -- python3 "$program" stream echo 7000 "$work/stream"
# By the service's address, as a program that has looked its name up; the one after it looks it up for each request.
# shellcheck disable=SC2016
workload asker -- bash -c 'address=$(getent ahostsv4 web | sed -n "1s/ .*//p")
	while :; do curl -s -o /dev/null -m 20 -H "Host: web" -w "%{http_code} %{errormsg}\n" "http://$address:9080/" >>"$0"; sleep 0.02; done' "$work/asked"
# shellcheck disable=SC2016
workload looker -- bash -c 'while :; do curl -s -o /dev/null -m 20 -w "%{http_code} %{errormsg}\n" http://web:9080/ >>"$0"; sleep 0.02; done' "$work/looked"
ok "a connection stands" soon 30 stream_goes_on
ok "requests are answered" soon 30 grep -q '^200 $' "$work/asked"
ok "the agent has its files" has_open "$(pid_of up)"
ok "the proxy has its files" has_open "$(pid_of proxy)"
before="$(addresses)" agent="$(pid_of up)" proxy="$(pid_of proxy)"

ok "a new version is installed over it" install_from "$home"
ok "nothing of it has started by itself" same "$agent $proxy" "$(pid_of up) $(pid_of proxy)"
ok "the running version is healthy" of_mesh status
ok "and answers what was not asked before" bash -c "/usr/local/bin/tulle explain --mesh '$mesh' --run-dir '$work/run' --from asker --to http://web:9080/ &&
	/usr/local/bin/tulle config proxy --mesh '$mesh' --run-dir '$work/run' >/dev/null"
ok "it applies configuration" of_mesh apply -f "$home/samples/bookinfo/config/destination-rules.yaml"

ok "upgrades" of_mesh upgrade
ok "the agent is another process" is_another up "$agent"
ok "the proxy is another process" is_another proxy "$proxy"
ok "every workload has its address" same "$before" "$(addresses)"
ok "the connection stands" stream_goes_on
ok "the new version is healthy" soon 10 of_mesh status
ok "configuration stayed" bash -c "/usr/local/bin/tulle get --mesh '$mesh' --run-dir '$work/run' destinationrules | grep -q reviews"
sleep 1
ok "no request failed" none_failed "$work/asked" 50
ok "and none with a look-up of its own" none_failed "$work/looked" 30
ok "no process has read another version's classes" bash -c "! grep -E 'NoClassDefFoundError|NoSuch(Method|Field)|ClassNotFound|LinkageError|AbstractMethod' '$work/up.log'"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
