# The build: kernel programs by make, jars by Maven, both into target/dist, then the start-up archives. Nothing is done
# when no source is newer than the last build.

# Maven's own JVM: quick to start, quiet about the libraries it ships.
MAVEN_FLAGS="-XX:+UseSerialGC -XX:TieredStopAtLevel=1 --sun-misc-unsafe-memory-access=allow"
BUILD_LOG="$TULLE_HOME/target/logs/build.log"

# ensure_built: builds when something changed since the last build, or the checkout moved.
ensure_built() {
	build_is_current && return
	[ -e "$TULLE_HOME/pom.xml" ] || die "$DIST is incomplete and there are no sources beside it to build from"
	mkdir -p "$TULLE_HOME/.tools" "$TULLE_HOME/target/logs"
	exec 8>"$TULLE_HOME/.tools/lock"
	flock 8
	build_is_current || build_all
	exec 8>&-
}

# The stamp's content is the place of the checkout (the archives hold absolute paths), its age is the last build's.
build_is_current() {
	local place=""
	[ -r "$DIST/stamp" ] || return 1
	read -r place <"$DIST/stamp" || return 1
	[ "$place" = "$TULLE_HOME $JAVA_HOME" ] || return 1
	[ -e "$TULLE_HOME/pom.xml" ] || return 0
	[ -z "$(source_newer_than "$DIST/stamp")" ]
}

# source_newer_than FILE: prints the first source file or folder that changed after FILE.
# Folders count too, for a removed file changes only its folder; bpf itself does not, for the build writes into it.
source_newer_than() {
	cd "$TULLE_HOME"
	find pom.xml ./*/pom.xml ./*/src/main samples/*/pom.xml samples/*/src bpf/Makefile bpf/*.c bpf/lib \
		scripts/lib scripts/logging.properties -newer "$1" -print -quit
	cd "$OLDPWD"
}

build_all() {
	local start=$SECONDS begun="$TULLE_HOME/target/build-begun"
	touch "$begun"
	say "building (log: target/logs/build.log)"
	: >"$BUILD_LOG"
	build_bpf
	step "jars: Maven is starting"
	rm -rf "$TULLE_HOME/cli/target/dist-lib"
	run_maven -pl cli,samples/bookinfo,samples/stock -am package -Dmaven.test.skip=true -Dspotless.check.skip=true ||
		build_failed "Maven could not build the jars"
	finish_build "$begun"
	done_line "built in $((SECONDS - start)) s"
}

build_bpf() {
	step "kernel programs: clang"
	make -C "$TULLE_HOME/bpf" >>"$BUILD_LOG" 2>&1 || build_failed "the kernel programs do not compile"
}

# finish_build BEGUN-FILE: what follows compilation, also after Maven's own `verify`: files of the distribution, archives
# and the stamp.
finish_build() {
	# A running mesh keeps its open jars and archives: folders are replaced, files never rewritten in place.
	mkdir -p "$DIST/bpf"
	rm -rf "$DIST/lib.new" "$DIST/aot"
	cp -r "$TULLE_HOME/cli/target/dist-lib" "$DIST/lib.new"
	cp "$TULLE_HOME"/cli/target/tulle-cli-*.jar "$DIST/lib.new/"
	rm -rf "$DIST/lib"
	mv "$DIST/lib.new" "$DIST/lib"
	cp "$TULLE_HOME/bpf/build/tulle.bpf.o" "$DIST/bpf/tulle.bpf.o.new"
	mv -f "$DIST/bpf/tulle.bpf.o.new" "$DIST/bpf/tulle.bpf.o"
	cp "$TULLE_HOME/scripts/logging.properties" "$DIST/logging.properties"
	write_jvm_arguments
	step "start-up archives: training"
	train_archives "$TULLE_HOME/target/logs/training.log"
	# The proxy reads it as its own user, whatever the umask of the one who built.
	chmod -R a+rX "$DIST"
	printf '%s\n' "$TULLE_HOME $JAVA_HOME" >"$DIST/stamp"
	touch -r "$1" "$DIST/stamp"
	rm -f "$1"
}

# run_maven ARGUMENT…: Maven without its noise: one line of progress per module, everything in the log.
run_maven() {
	local line status
	# A pipe, so that progress shows while Maven runs; its status is read from PIPESTATUS.
	set +e
	(cd "$TULLE_HOME" && MAVEN_OPTS="$MAVEN_FLAGS ${MAVEN_OPTS-}" exec mvn -B -ntp -Dstyle.color=never "$@") 2>&1 </dev/null | while IFS= read -r line; do
		printf '%s\n' "$line" >>"$BUILD_LOG"
		case "$line" in
		'[INFO] Building Tulle'*)
			# "Tulle: model 0.1.0        [3/11]"
			line="${line#\[INFO\] Building Tulle}"
			line="${line#: }"
			step "jars: ${line##* } ${line%% [0-9]*}"
			;;
		esac
	done
	status=${PIPESTATUS[0]}
	set -e
	return "$status"
}

build_failed() {
	done_line "$1; the end of target/logs/build.log:"
	grep -E '^\[ERROR\]|error:|^make.*Error' "$BUILD_LOG" | head -n 30 >&2 || true
	[ -s "$BUILD_LOG" ] && tail -n 15 "$BUILD_LOG" >&2
	exit 1
}
