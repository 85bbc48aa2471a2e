# JVM flags per role. They are written to target/dist/jvm/ROLE once per build, because the class path and the start-up
# archive must be the same, byte by byte, at training and at every start.

# flags_of ROLE DISTRIBUTION: prints the flags, one a line, for files in that folder.
#   node   control and agent in one JVM: a heap for thousands of services and a configuration of 10 MiB, of which an
#          idle mesh uses a few MiB; no JIT threads to spare; exits on out-of-memory so that the supervisor starts it anew
#          instead of a half-dead process
#   proxy  the data path: heap for connection state, buffers outside it
#   cli    short commands: first-tier compiler only
# The long-lived roles give memory back: to the heap's unused part, and every 10 s what malloc keeps after the compilers
# have used it. gRPC's own copy of Netty needs one small arena for a few streams.
flags_of() {
	case "$1" in
	node | proxy)
		printf '%s\n' -XX:+UnlockDiagnosticVMOptions -XX:TrimNativeHeapInterval=10000 \
			-Dio.grpc.netty.shaded.io.netty.allocator.numDirectArenas=1 \
			-Dio.grpc.netty.shaded.io.netty.allocator.numHeapArenas=1 \
			-Dio.grpc.netty.shaded.io.netty.allocator.maxOrder=4
		;;
	esac
	printf '%s\n' -XX:+UseSerialGC -XX:+UseCompactObjectHeaders -XX:-UsePerfData -XX:+ExitOnOutOfMemoryError \
		-Xlog:disable -Xlog:all=error:stderr \
		--enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow \
		-Djava.util.logging.config.file="$2/logging.properties" -Dtulle.home="$2" \
		-Djava.net.preferIPv4Stack=false -Dfile.encoding=UTF-8
	case "$1" in
	node) printf '%s\n' -Xms16m -Xmx256m -XX:MinHeapFreeRatio=10 -XX:MaxHeapFreeRatio=20 -XX:TieredStopAtLevel=1 -Xss512k -XX:MaxDirectMemorySize=64m -XX:ReservedCodeCacheSize=48m ;;
	proxy)
		printf '%s\n' -Xms16m -Xmx160m -XX:MinHeapFreeRatio=15 -XX:MaxHeapFreeRatio=40 -Xss512k -XX:MaxDirectMemorySize=64m -XX:ReservedCodeCacheSize=64m \
			-Dio.netty.leakDetection.level=disabled
		;;
	cli) printf '%s\n' -Xms8m -Xmx128m -XX:TieredStopAtLevel=1 ;;
	esac
}

# write_jvm_arguments [PLACE]: one argument file per role for the java command. PLACE is where the distribution will be
# when it is used, if not where it is now.
write_jvm_arguments() {
	local role jar path="" flag place=${1:-$DIST}
	for jar in "$DIST"/lib/tulle-cli-*.jar "$DIST"/lib/*.jar; do
		jar="$place/lib/${jar##*/}"
		case "$path:" in
		*":$jar:"*) ;;
		*) path="$path:$jar" ;;
		esac
	done
	mkdir -p "$DIST/jvm"
	for role in node proxy cli; do
		{
			flags_of "$role" "$place" | while IFS= read -r flag; do printf '"%s"\n' "$flag"; done
			printf '%s\n"%s"\n' -cp "${path#:}"
		} >"$DIST/jvm/$role"
	done
}

# train_archives LOG: makes the start-up archive of each role by a short run of its code without the kernel. An archive only
# saves time: when one cannot be made, the role starts without it.
train_archives() {
	local role log="$1"
	mkdir -p "$DIST/aot"
	: >"$log"
	for role in cli node proxy; do
		if ! "$JAVA_HOME/bin/java" "@$DIST/jvm/$role" "-XX:AOTCacheOutput=$DIST/aot/$role.aot" \
			dev.tulle.cli.Main train "$role" >>"$log" 2>&1 </dev/null || [ ! -s "$DIST/aot/$role.aot" ]; then
			say "no start-up archive for $role, it starts slower ($log)"
			rm -f "$DIST/aot/$role.aot"
		fi
	done
}

# java_command ROLE: sets the array JAVA to the java command of the role, without the main class.
# Few malloc arenas: each keeps memory of its own. Children (the proxy under `up`) inherit that.
java_command() {
	export MALLOC_ARENA_MAX=2
	JAVA=("$JAVA_HOME/bin/java" "@$DIST/jvm/$1")
	if [ -s "$DIST/aot/$1.aot" ]; then
		JAVA+=("-XX:AOTCache=$DIST/aot/$1.aot")
	fi
}
