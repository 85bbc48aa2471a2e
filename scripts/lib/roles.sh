# How each kind of command becomes a process.

# exec_role ROLE ARGUMENT…: the shell becomes the JVM.
exec_role() {
	java_command "$1"
	shift
	if [ -t 1 ]; then
		export TULLE_TERMINAL=1
	fi
	exec "${JAVA[@]}" dev.tulle.cli.Main "$@"
}

# run_command OPTION… -- COMMAND…: the agent gives a lease, the shell enters the workload's cgroup and becomes the command.
# The command gets the environment that `tulle run` was started with, and what the lease sets: nothing of the launcher's.
run_command() {
	local options=() script kept=() lease=()
	mapfile -d '' -t kept < <(grep -z = "/proc/$$/environ")
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		case "$1" in
		-h | --help) exec_role cli run --help ;;
		esac
		options+=("$1")
		shift
	done
	if [ "${1-}" != -- ] || [ $# -lt 2 ]; then
		exec_role cli run "${options[@]}"
	fi
	shift
	if ! command -v -- "$1" >/dev/null 2>&1; then
		printf 'tulle run: %s: no such command\n' "$1" >&2
		exit 127
	fi
	java_command cli
	# Who is not root may not write to control groups: the agent puts this process there.
	[ "$EUID" = 0 ] || options+=(--enter "$$")
	# The answer is shell text made by `tulle run` itself: exports, each value in single quotes, and the cgroup to enter.
	script="$("${JAVA[@]}" dev.tulle.cli.Main run --shell "${options[@]}")" || exit $?
	local TULLE_LEASE_CGROUP=""
	export() { lease+=("$1"); }
	eval "$script"
	unset -f export
	if [ "$EUID" = 0 ] && ! { printf '%s\n' "$$" >"$TULLE_LEASE_CGROUP/cgroup.procs"; } 2>/dev/null; then
		printf 'tulle run: %s: cannot enter the cgroup of the workload, which is released in a while\n' "$TULLE_LEASE_CGROUP" >&2
		exit 1
	fi
	# env takes a name with a = for a variable: a shell of its own becomes such a command.
	case "$1" in
	*=*) set -- /bin/sh -c 'exec "$@"' sh "$@" ;;
	esac
	exec env -i -- "${kept[@]}" "${lease[@]}" "$@"
}

# supervise_up ARGUMENT…: keeps the mesh's JVM running. It is started again, with a growing pause, when it was killed by a
# signal that nobody here sent; its own decision to stop (any other status) is final. The cause of each restart goes to the
# new JVM, which shows it in `tulle status`.
supervise_up() {
	local stopping="" child="" status begun pause=0.2 restarts=0
	case " $* " in
	*" --help "* | *" -h "*) exec_role cli up --help ;;
	esac
	java_command node
	# A pipe that nobody reads or writes. It tells whether this process or the JVM still lives: until both have ended,
	# look-ups wait for the next JVM instead of being refused.
	exec 9<> <(:)
	export TULLE_LIFE=/proc/self/fd/9
	trap 'stopping=TERM; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null || true' TERM HUP
	trap 'stopping=INT; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null || true' INT
	while :; do
		begun=$SECONDS
		# Its own session: Ctrl-C reaches the supervisor alone, which asks for one orderly stop.
		setsid "${JAVA[@]}" dev.tulle.cli.Main up "$@" 8>&- &
		child=$!
		status=0
		# Bash tells of a killed child by itself, with the whole command line: said shorter below.
		{ wait "$child"; } 2>/dev/null || status=$?
		# A trapped signal ends `wait` early; the JVM is then on its way out.
		while kill -0 "$child" 2>/dev/null; do
			status=0
			{ wait "$child"; } 2>/dev/null || status=$?
		done
		child=""
		# 76: it ended so that the version that is installed now can take over.
		if [ -z "$stopping" ] && [ "$status" = 76 ]; then
			java_command node
			TULLE_RESTART_CAUSE="upgrade"
			export TULLE_RESTART_CAUSE
			continue
		fi
		if [ -n "$stopping" ]; then
			if [ "$status" -gt 128 ] && [ "$status" != 143 ]; then
				say "the mesh was killed while it stopped (status $status): finishing that"
				"${JAVA[@]}" dev.tulle.cli.Main up --finish-stop "$@" || true
				exit 1
			fi
			[ "$status" = 143 ] && status=0
			exit "$status"
		fi
		# 3: the JVM's own exit when it ran out of memory; 75: a start after a crash failed; over 128: a signal.
		if [ "$status" -le 128 ] && [ "$status" != 3 ] && [ "$status" != 75 ]; then
			exit "$status"
		fi
		restarts=$((restarts + 1))
		[ $((SECONDS - begun)) -ge 30 ] && pause=0.2
		if [ "$status" = 3 ]; then
			TULLE_RESTART_CAUSE="it ran out of memory after $((SECONDS - begun)) s"
		elif [ "$status" = 75 ]; then
			TULLE_RESTART_CAUSE="the start before this one failed"
		else
			TULLE_RESTART_CAUSE="killed by signal $((status - 128)) after $((SECONDS - begun)) s"
		fi
		export TULLE_RESTART_CAUSE TULLE_RESTARTS=$restarts
		say "control and agent: $TULLE_RESTART_CAUSE; starting again in $pause s"
		sleep "$pause" &
		wait $! || true
		if [ -n "$stopping" ]; then
			"${JAVA[@]}" dev.tulle.cli.Main up --finish-stop "$@" || true
			exit 0
		fi
		case "$pause" in
		0.2) pause=0.5 ;;
		0.5) pause=1 ;;
		1) pause=2 ;;
		*) pause=5 ;;
		esac
	done
}
