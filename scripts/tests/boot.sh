#!/usr/bin/env bash
# The package on a machine of its own: a minimal Debian with systemd as process 1, in namespaces of its own (mounts,
# processes, network, control groups), on this machine's kernel. Installs the package there, starts the mesh by its units,
# boots again, kills, restarts, reloads and removes it, and looks each time what systemd and the mesh say. Leaves nothing.
# Needs root, the built distribution, debootstrap and Debian's archive. Closes with "N passed, N failed".
#
#   scripts/tests/boot.sh [DEBIAN [PACKAGE]]   DEBIAN: the folder of such a Debian, which is changed; PACKAGE: a built .deb
set -u
home="$(readlink -f -- "${BASH_SOURCE[0]%/*}/../..")"
NEEDED=systemd,systemd-sysv,dbus,nftables,iproute2,libbpf1,util-linux,curl,python3,procps

# init ROOT: makes the mounts of a machine and becomes its process 1. The namespaces are there.
init() {
	local root=$1 name
	mount --bind "$root" "$root"
	mount -t proc proc "$root/proc"
	mount -t sysfs sysfs "$root/sys"
	mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
	mount -t bpf bpf "$root/sys/fs/bpf"
	mount -t tmpfs -o mode=755 run "$root/run"
	mount -t tmpfs -o mode=755 dev "$root/dev"
	for name in null zero full random urandom tty; do
		: >"$root/dev/$name"
		mount --bind "/dev/$name" "$root/dev/$name"
	done
	mkdir -p "$root/dev/shm" "$root/dev/pts"
	mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
	mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
	ln -s pts/ptmx "$root/dev/ptmx"
	hostname tulle-boot
	cd "$root" || exit
	pivot_root . .
	umount -l .
	exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=console --show-status=no
}
if [ "${1-}" = --init ]; then
	init "$2"
fi

work="$(mktemp -d /var/tmp/tulle-boot.XXXXXX)"
root="${1:-$work/root}" package="${2-}"
passed=0 failed=0
. "$home/scripts/lib/ok.sh"
group=""

# Whatever way this ends: the machine is off, its control groups and files are gone.
clear_up() {
	power_off
	if [ -n "$group" ]; then
		find "$group" -depth -type d -exec rmdir {} + 2>/dev/null
		[ ! -d "$group" ] || echo "not ok left behind: $group"
	fi
	rm -rf --one-file-system "$work"
}
trap clear_up EXIT
trap 'exit 143' TERM INT

# boot: its process 1, seen from here, is in a file.
boot() {
	local parent end=$((SECONDS + 90))
	(
		echo "$BASHPID" >"$group/cgroup.procs"
		exec unshare --mount --propagation private --pid --fork --kill-child --uts --ipc --net --cgroup -- \
			"$home/scripts/tests/boot.sh" --init "$root"
	) >>"$work/console" 2>&1 </dev/null &
	parent=$!
	until pgrep -P "$parent" >"$work/machine" && is_up; do
		[ $SECONDS -lt $end ] && kill -0 "$parent" 2>/dev/null || { tail -n 20 "$work/console"; in_machine systemctl list-jobs; return 1; }
		sleep 0.3
	done
}

is_up() {
	[[ "$(in_machine systemctl is-system-running 2>/dev/null)" =~ ^(running|degraded)$ ]]
}

# machine: its process 1, while it is on.
machine() {
	local pid=""
	[ -s "$work/machine" ] && read -r pid <"$work/machine" && kill -0 "$pid" 2>/dev/null && printf '%s\n' "$pid"
}

power_off() {
	if [ -n "$group" ] && [ -d "$group" ]; then
		echo 1 >"$group/cgroup.kill"
		while grep -q '^populated 1' "$group/cgroup.events"; do sleep 0.1; done
	fi
}

# shut_down: as a person would; the processes are asked to end.
shut_down() {
	local end=$((SECONDS + 90))
	in_machine systemctl poweroff --no-block || return
	while machine >/dev/null; do
		[ $SECONDS -lt $end ] || { in_machine systemctl list-jobs; return 1; }
		sleep 0.2
	done
}

in_machine() {
	local pid
	pid="$(machine)" || { echo "the machine is off" && return 1; }
	nsenter --target "$pid" --all --root sh -c 'cd / && exec "$@"' sh env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}

soon() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || { "$@" && return; echo "not in time: $*" && false; return; }
		sleep 0.3
	done
}

is_active() {
	in_machine systemctl is-active --quiet "$@" || { in_machine systemctl status --no-pager "$@"; false; }
}

# ask NAME: what a program of the mesh gets there.
ask() {
	in_machine tulle run --name ask -- curl -sS -f -m 10 "http://$1:9080/"
}

main_pid() {
	in_machine systemctl show -P MainPID "$1"
}

is_another() {
	local now
	now="$(main_pid "$1")"
	[ "$now" != 0 ] && [ "$now" != "$2" ] || { echo "still $now" && false; }
}

address_of() {
	in_machine tulle workloads "$1" -o json | grep -oE '100\.[0-9.]+' | head -n 1
}

same() {
	[ -n "$1" ] && [ "$1" = "$2" ] || { echo "expected '$1', found '$2'" && false; }
}

differs() {
	[ -n "$2" ] && [ "$1" != "$2" ] || { echo "before '$1', now '$2'" && false; }
}

none() {
	[ -z "$1" ] || { echo "$1" && false; }
}

# has WORDS COMMAND…: its output has them.
has() {
	local words=$1 out
	shift
	out="$("$@")"
	[[ "$out" == *"$words"* ]] || { echo "no '$words' in: $out" && false; }
}

# after FIRST SECOND: the second unit became active after the first.
after() {
	local first second
	first="$(in_machine systemctl show -P ActiveEnterTimestampMonotonic "$1")"
	second="$(in_machine systemctl show -P ActiveEnterTimestampMonotonic "$2")"
	[ "$first" -gt 0 ] && [ "$second" -ge "$first" ] || { echo "$1 at $first us, $2 at $second us" && false; }
}

proxies() {
	in_machine systemctl list-units --plain --no-legend --state=active 'tulle-proxy@*' | sed 's/ .*//'
}

runs_as() {
	local user
	user="$(in_machine ps -o user:20= -p "$(main_pid "$2")" | tr -d ' ')"
	same "$1" "$user"
}

nothing_left() {
	local left
	left="$(in_machine bash -c 'ls -d /sys/fs/bpf/tulle /sys/fs/cgroup/tulle /run/tulle /opt/tulle/dist 2>/dev/null
		pgrep -af ^/opt/tulle; nft list tables | grep tulle; ip rule | grep -v "^\(0\|32766\|32767\):"')"
	none "$left"
}

if [ ! -d "$root" ]; then
	suite="$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)"
	archive="$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 2>/dev/null | head -n 1)"
	ok "makes a Debian $suite" unshare --mount --propagation private debootstrap --variant=minbase "--include=$NEEDED" "$suite" "$root" "$archive"
fi
if [ -z "$package" ]; then
	ok "makes a package" bash -c "cd '$home' && env -u TULLE_HOME scripts/install --deb '$work'"
	package="$(compgen -G "$work/tulle_*.deb")"
fi
cp "$package" "$root/root/tulle.deb" || exit 1
group="$(sed -n 's/^[^ ]* \([^ ]*\) cgroup2 .*/\1/p' /proc/mounts | head -n 1)/tulle-boot-$$"
mkdir "$group" || exit 1

ok "systemd is process 1" boot
ok "installs the package" in_machine dpkg -i /root/tulle.deb
ok "which starts nothing" same inactive "$(in_machine systemctl is-active tulle)"
in_machine mkdir -p /etc/tulle/workloads /srv/web /etc/systemd/system
in_machine tee /etc/tulle/workloads/web.env >/dev/null <<-ENV
	TULLE_RUN="--service web --port http:9080"
	COMMAND=/usr/bin/python3 -m http.server 9080 --directory /srv/web
ENV
in_machine tee /etc/systemd/system/own.service >/dev/null <<-'UNIT'
	[Unit]
	After=tulle.service
	Wants=tulle.service
	[Service]
	ExecStart=/usr/bin/python3 -m http.server 9080 --directory /srv/web
	ExecStartPost=+tulle enrol --unit %n --name own --service own --port http:9080
	[Install]
	WantedBy=multi-user.target
UNIT
ok "units are enabled and started" in_machine bash -c 'systemctl daemon-reload && systemctl enable --now tulle tulle-workload@web own'
ok "the mesh runs" is_active tulle
ok "and is healthy" soon 20 in_machine tulle status
ok "in its best tier" has "tier splice" in_machine tulle status
ok "its proxy is a unit" is_active "$(proxies)"
ok "of a user without rights" runs_as tulle-proxy "$(proxies)"
ok "a workload's unit runs" is_active tulle-workload@web
ok "and is called by its name" soon 20 ask web
ok "a program's own unit runs" is_active own
ok "and is called by its name, too" soon 20 ask own

ok "shuts down" shut_down
ok "boots" boot
ok "the mesh is there" soon 30 is_active tulle
ok "before its workloads" after tulle.service own.service
ok "and answers" soon 30 ask web
ok "also a program's own unit" soon 20 ask own

before="$(address_of web)" web="$(main_pid tulle-workload@web)" mesh="$(main_pid tulle)"
in_machine kill -KILL "$mesh"
ok "killed, it is started again by systemd" soon 60 is_another tulle "$mesh"
ok "and healthy" soon 60 in_machine tulle status
ok "with its workload where it was" same "$before" "$(address_of web)"
ok "whose process has not changed" same "$web" "$(main_pid tulle-workload@web)"
ok "and answers" soon 20 ask web

proxy="$(proxies)"
ok "reloads into the installed version" in_machine systemctl reload tulle
ok "with another proxy" differs "$proxy" "$(proxies)"
ok "and is healthy" soon 30 in_machine tulle status
ok "and answers" ask web

ok "restarts" in_machine systemctl restart tulle
ok "and has its workload where it was" same "$before" "$(address_of web)"
ok "and answers" soon 20 ask web

ok "stops" in_machine systemctl stop tulle
ok "orderly" same success "$(in_machine systemctl show -P Result tulle)"
ok "no proxy is left" none "$(proxies)"
ok "its workload is lent to the host" soon 10 in_machine curl -sS -f -m 5 http://127.0.0.1:9080/
ok "starts" in_machine systemctl start tulle
ok "and answers" soon 20 ask web

in_machine systemctl disable --now tulle-workload@web own >/dev/null 2>&1
ok "is removed" in_machine dpkg -r tulle
ok "and nothing is left" soon 10 nothing_left
ok "no unit has failed" none "$(in_machine systemctl list-units --failed --no-legend 'tulle*' 'own*')"

if [ "$failed" != 0 ]; then
	in_machine journalctl --no-pager -u 'tulle*' -u own -n 60 2>/dev/null
	tail -n 20 "$work/console"
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
