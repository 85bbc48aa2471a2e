# The suites of ./test. Each one is a function suite_NAME that writes its log and calls `count PASSED FAILED SKIPPED`.

PASSED=0
FAILED=0
SKIPPED=0
SUMMARY=""

# run_suite NAME: runs the function, shows how long it took and what failed.
run_suite() {
	local name=$1 start=$SECONDS passed_before=$PASSED failed_before=$FAILED skipped_before=$SKIPPED line notes
	LOG="$LOGS/$name.log"
	NOTES="$LOGS/$name.notes"
	say "$name: running (log: target/logs/$name.log)"
	: >"$LOG"
	: >"$NOTES"
	"suite_$name"
	line="$name: $((PASSED - passed_before)) passed, $((FAILED - failed_before)) failed, $((SKIPPED - skipped_before)) skipped in $((SECONDS - start)) s"
	say "$line"
	notes="$(sed 's/^/    /' "$NOTES")"
	SUMMARY+="  $line"$'\n'"${notes:+$notes$'\n'}"
}

# count PASSED FAILED [SKIPPED]: adds to the sums.
count() {
	PASSED=$((PASSED + $1))
	FAILED=$((FAILED + $2))
	SKIPPED=$((SKIPPED + ${3:-0}))
}

# note TEXT: a line that stands below its suite in the summary: what failed, was skipped or needed a second try.
note() {
	printf '%s\n' "$1" >>"$NOTES"
}

# check NAME COMMAND…: one test that is a command: passed when its status is 0.
check() {
	local name=$1
	shift
	if "$@" >>"$LOG" 2>&1 </dev/null; then
		count 1 0
	else
		count 0 1
		note "failed: $name"
		say "FAILED: $name"
		tail -n 25 "$LOG" >&2
	fi
}

# script_suite NAME COMMAND…: a program that closes with "N passed, N failed" or "N passed, N failed, N skipped" and tells
# of each skipped test in a line "skip …". One without a closing line has failed.
script_suite() {
	local name=$1 status=0 closing passed failed skipped begun
	shift
	begun="$(wc -l <"$LOG")"
	"$@" >>"$LOG" 2>&1 </dev/null || status=$?
	closing="$(tail -n "+$((begun + 1))" "$LOG" | grep -aE '^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' | tail -n 1)" || true
	if [ -z "$closing" ]; then
		count 0 1
		note "failed: $name ended with status $status and no closing line"
		say "FAILED: $name ended with status $status and no closing line"
		tail -n 25 "$LOG" >&2
		return
	fi
	read -r passed _ failed _ skipped _ <<<"$closing"
	[ "$status" = 0 ] || [ "$failed" -gt 0 ] || failed=1
	count "$passed" "$failed" "${skipped:-0}"
	tail -n "+$((begun + 1))" "$LOG" | sed -n 's/^skip */skipped: /p' >>"$NOTES"
	if [ "$failed" -gt 0 ]; then
		note "failed: $name: $closing, status $status"
		tail -n "+$((begun + 1))" "$LOG" | grep -aiE '^(not ok|FAIL)' | head -n 25 >>"$NOTES" || true
		say "FAILED: $name: $closing, status $status"
		grep -aiE '^(not ok|FAIL)' "$LOG" | head -n 25 >&2 || tail -n 25 "$LOG" >&2
	fi
}

suite_format() {
	check "C sources are formatted (make -C bpf format)" make -C bpf check-format
	local script
	while IFS= read -r script; do
		check "$script parses" bash -n "$script"
	done < <(grep -lE '^#!.*sh$' tulle test .ci/run scripts/* 2>/dev/null; ls scripts/lib/*.sh scripts/tests/*.sh)
	check "what ./test counts" python3 -B scripts/lib/junit_test.py
}

# The shell's part: the launcher, and what is installed on a host.
suite_scripts() {
	script_suite "launcher" scripts/tests/launcher.sh
	ensure_built
	script_suite "install" scripts/tests/install.sh
}

suite_bpf() {
	script_suite "programs in the kernel" make -C bpf test
}

# Maven's whole build: compilation with its checks as errors, format, unit and end-to-end tests.
suite_java() {
	local begun="$TULLE_HOME/target/build-begun" status=0
	touch "$begun"
	BUILD_LOG="$LOG"
	build_bpf
	rm -rf cli/target/dist-lib ./*/target/surefire-reports samples/*/target/surefire-reports
	run_maven verify -Dmaven.test.failure.ignore=true -Dsurefire.rerunFailingTestsCount=1 || status=$?
	[ ! -t 2 ] || printf '\r\033[K' >&2
	count_junit
	if [ "$status" = 0 ]; then
		count 1 0
		finish_build "$begun"
		done_line "start-up archives trained"
	else
		count 0 1
		note "failed: mvn verify"
		say "FAILED: mvn verify"
		grep -E '^\[ERROR\]' "$LOG" | head -n 30 >&2 || true
	fi
}

# Sums the reports of Surefire (one <testsuite> each) and notes what was not plainly passed. A test that failed and passed
# when it was run again has failed, unless scripts/second-tries says why it may.
count_junit() {
	local sums passed failed skipped
	sums="$(python3 "$TULLE_HOME/scripts/lib/junit.py" "$TULLE_HOME/scripts/second-tries" "$TULLE_HOME" 2>>"$LOG")" ||
		{ count 0 1 && note "failed: the reports cannot be read" && return; }
	read -r passed failed skipped < <(tail -n 1 <<<"$sums")
	count "$passed" "$failed" "$skipped"
	sums="$(sed '$d' <<<"$sums" | grep . || true)"
	[ -z "$sums" ] || printf '%s\n' "$sums" | tee -a "$NOTES" >&2
}

# Our xDS against a client that we did not write, and what configuration means against what it means to an Envoy that does
# not get it from us: the configurations made by hand and a few generated ones.
suite_envoy() {
	check "a real Envoy takes our resources and routes by them" control/src/test/envoy/run
	check "a real Envoy takes certificates from the agent" agent/src/test/envoy/run
	ensure_built
	script_suite "configuration means what it means to Envoy" "$TULLE_HOME/it/differential/run" --configurations 8
	script_suite "trusted hops mean what they mean to Envoy" python3 -B "$TULLE_HOME/it/edge/hops.py"
}

# Not among the suites of a plain ./test: the same with many generated configurations. Options in DIFFERENTIAL:
# it/differential/README.md.
suite_differential() {
	ensure_built
	# shellcheck disable=SC2086
	script_suite "configuration means what it means to Envoy" "$TULLE_HOME/it/differential/run" \
		--configurations 100 --report "$LOGS/differential.jsonl" ${DIFFERENTIAL:-}
}

suite_samples() {
	script_suite "Bookinfo" samples/bookinfo/test.sh
}

# A mesh of its own per class, real programs in it: the tests tagged e2e, on the distribution that is built by now.
suite_e2e() {
	local status=0
	ensure_built
	BUILD_LOG="$LOG"
	rm -rf ./*/target/surefire-reports samples/*/target/surefire-reports
	run_maven -pl it -am test -Dgroups=e2e -De2e.excluded=none -Dmaven.test.failure.ignore=true -Dsurefire.rerunFailingTestsCount=1 || status=$?
	[ ! -t 2 ] || printf '\r\033[K' >&2
	count_junit
	[ "$status" = 0 ] || count 0 1
}

# Every parser of bytes from outside, Java and C, coverage-guided: so many seconds each, two at a time.
suite_fuzz() {
	if [ ! -s it/target/fuzz-classpath ]; then
		BUILD_LOG="$LOG"
		run_maven -pl it -am process-test-classes || true
	fi
	# A fixed seed: what a change is judged by does not change from run to run. FUZZ_SEED=0 takes the clock, as --long does.
	script_suite "parsers" "$TULLE_HOME/it/fuzz/run" --seconds "${FUZZ_SECONDS:-6}" --seed "${FUZZ_SEED:-20261129}"
}

# Not among the default suites, for they are long: the same cases through both paths; requests while everything dies;
# stalls, half-closes and idle leases. Options in EQUALITY, TORTURE and LIMITS: it/equality/README.md.
suite_equality() {
	ensure_built
	# shellcheck disable=SC2086
	script_suite "both paths mean the same" "$TULLE_HOME/it/equality/run" equality ${EQUALITY:-}
}

# e2e_long PREFIX TEST OPTION…: one end-to-end test in its long form, whose lines that begin with PREFIX are its figures.
e2e_long() {
	local prefix=$1 test=$2 status=0
	shift 2
	ensure_built
	BUILD_LOG="$LOG"
	rm -rf ./*/target/surefire-reports samples/*/target/surefire-reports
	run_maven -pl it -am test "-Dtest=$test" -Dgroups=e2e -De2e.excluded=none -Dsurefire.failIfNoSpecifiedTests=false \
		-Dmaven.test.failure.ignore=true "$@" || status=$?
	[ ! -t 2 ] || printf '\r\033[K' >&2
	count_junit
	grep "^$prefix: " "$LOG" | tail -n 25 >&2 || true
	[ "$status" = 0 ] || count 0 1
}

# Not among the suites of a plain ./test: 50 stops, kills and starts of the mesh under 20 workloads, see AdoptionTest.
suite_adoption() {
	e2e_long adoption AdoptionTest -Dadoption.rounds=50 -Dadoption.workloads=20
}

# Not among the suites of a plain ./test: 500 changes of the configuration while those who are to enforce them are stopped,
# killed, slow, silent or refuse, see ApplyTruthTest. APPLIES, SEED: how many, and which.
suite_applies() {
	e2e_long applies ApplyTruthTest "-Dapplies=${APPLIES:-500}" "-Dapplies.timeout=${TIMEOUT:-8}" "-Dapplies.seed=${SEED:-20261129}"
}

# Not among the suites of a plain ./test: what one workload notices of another one that wants ten times what it should of
# anything that they share, see GreedyNeighboursTest. SECONDS_EACH, ROUNDS, TIMES: how long and how often each is measured, and the bound.
suite_neighbours() {
	e2e_long neighbours GreedyNeighboursTest "-Dneighbours.seconds=${SECONDS_EACH:-10}" "-Dneighbours.rounds=${ROUNDS:-3}" "-Dneighbours.times=${TIMES:-1.5}" -Dneighbours.unnoticed=300 \
		-Dneighbours.kinds=questions,crafted,subscriptions,garbage,idle,pipelining,stalled,large,heavy
}

# Not among the suites of a plain ./test: an installation is put over one whose mesh runs. OLDER: another, built checkout,
# whose version runs first.
suite_upgrade() {
	ensure_built
	# shellcheck disable=SC2086
	script_suite "upgrade" scripts/tests/upgrade.sh ${OLDER:-}
}

# Not among the suites of a plain ./test: the package on a Debian that systemd boots, with its units. Needs Debian's archive.
suite_boot() {
	ensure_built
	script_suite "boot" scripts/tests/boot.sh
}

# Not among the suites of a plain ./test: ten minutes of restarts and upgrades under load, see ContinuityTest.
suite_continuity() {
	e2e_long continuity ContinuityTest -Dcontinuity.restarts=50 -Dcontinuity.upgrades=20 -Dcontinuity.proxies=20 \
		-Dcontinuity.streams=200
}

suite_torture() {
	ensure_built
	# shellcheck disable=SC2086
	script_suite "requests while everything dies" "$TULLE_HOME/it/equality/run" torture ${TORTURE:-}
}

suite_limits() {
	ensure_built
	# shellcheck disable=SC2086
	script_suite "stalls, half-closes and idle leases" "$TULLE_HOME/it/equality/run" limits ${LIMITS:-}
}

# Not among the suites of a plain ./test: what programs notice on their sockets, plain loopback against meshes, call by
# call. Options in SOCKETS: it/sockets/README.md.
suite_sockets() {
	ensure_built
	# shellcheck disable=SC2086
	script_suite "sockets as on plain loopback" "$TULLE_HOME/it/sockets/run" --report "$LOGS/sockets.jsonl" ${SOCKETS:-}
}

# Not among the suites of a plain ./test: random socket operations on spliced connections and on their twins on plain
# loopback. Options in STORM: it/storm/README.md.
suite_storm() {
	ensure_built
	# shellcheck disable=SC2086
	script_suite "a storm of socket operations" "$TULLE_HOME/it/storm/run" ${STORM:-}
}

# Real programs, plain loopback against meshes in every tier; not among the suites of a plain ./test, for it needs many
# packages. Options in PROGRAMS: it/programs/README.md. programs-short, which is: the programs that are there anyway.
suite_programs() {
	ensure_built
	# shellcheck disable=SC2086
	script_suite "programs as on plain loopback" "$TULLE_HOME/it/programs/run" --report "$LOGS/programs.jsonl" ${PROGRAMS:-}
}

suite_programs-short() {
	ensure_built
	script_suite "programs as on plain loopback" "$TULLE_HOME/it/programs/run" --short
}

# Strangers of every kind against a mesh of its own; the long form is it/hostile/run --kills 1000.
suite_hostile() {
	ensure_built
	# shellcheck disable=SC2086
	script_suite "the local stranger" "$TULLE_HOME/it/hostile/run" --report "$LOGS/hostile.jsonl" ${HOSTILE:-}
}

suite_demo() {
	check "tulle demo --once" "$TULLE_HOME/tulle" demo --once
}

# Meshes of earlier test runs that were killed as a whole: what they pinned goes on working, and counts and guards
# whatever the tests of this run do.
clear_killed_runs() {
	local pins name mount
	for pins in /sys/fs/bpf/*/maps/tulle_config; do
		[ -e "$pins" ] || continue
		name="${pins#/sys/fs/bpf/}"
		name="${name%%/*}"
		case "$name" in tulle-*) ;; *) say "mesh '$name' is in this host's kernel: it may disturb the tests" ;; esac
	done
	for pins in /sys/fs/bpf/tulle-{it,demo,agenttest,kerneltest-*,ho,st,so-*,pr-*,bpf-test-*,eq-*,to-*,li,di,fuzz-*,bench-*}; do
		[ -d "$pins" ] || continue
		name="${pins##*/}"
		if grep -qsaF -- "$name" /proc/[0-9]*/cmdline; then
			say "mesh '$name' of another test run is alive: it may disturb this one"
			continue
		fi
		say "removing what is left of mesh '$name': a test run was killed"
		rm -r "$pins"
		nft delete table inet "$name" 2>/dev/null || true
		while read -r _ mount _; do
			find "$mount" -mindepth 1 -depth -path "$mount/$name*" -type d -exec rmdir {} \; 2>/dev/null || true
		done < <(grep ' cgroup2 ' /proc/mounts)
	done
}

# check_traces BEFORE: nothing may be there that was not there before.
check_traces() {
	LOG="$LOGS/traces.log"
	"$TULLE_HOME/scripts/traces" >"$LOGS/traces-after.txt"
	if LC_ALL=C comm -13 "$1" "$LOGS/traces-after.txt" >"$LOG" && [ ! -s "$LOG" ]; then
		count 1 0
		SUMMARY+="  nothing left behind"$'\n'
	else
		count 0 1
		SUMMARY+="  left behind (target/logs/traces.log)"$'\n'
		say "FAILED: left behind:"
		cat "$LOG" >&2
	fi
}
