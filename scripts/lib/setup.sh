# What Tulle needs on a machine, found or installed: the one list of it. What was found is kept in .tools/setup.env, so
# that the second start costs one file read. Delete .tools to look again.

SETUP_ENV="$TULLE_HOME/.tools/setup.env"
SETUP_LOG="$TULLE_HOME/.tools/setup.log"
# Raised when the list of needs grows, so that a machine set up before is looked at again.
SETUP_VERSION=4
JDK_PACKAGE=openjdk-25-jdk-headless

# needs_of PURPOSE: what it needs, one a line: a kind of thing, the thing, and Debian's package that has it. "build" ends
# in target/dist, "run" is a mesh and its commands, "demo" adds Bookinfo and its checks, "test" all that a plain ./test
# starts; a suite of its name adds what no other one needs.
needs_of() {
	case "$1" in
	build)
		printf '%s\n' "jdk - $JDK_PACKAGE" "clang - clang" "command mvn maven" "command make make" \
			"file /usr/include/bpf/libbpf.h libbpf-dev"
		;;
	run)
		printf '%s\n' "command nft nftables" "command ip iproute2" "command tc iproute2" "command setpriv util-linux" \
			"command flock util-linux" "library libbpf.so.1 libbpf1"
		;;
	demo)
		printf '%s\n' "command python3 python3" "command curl curl" "command bpftool bpftool"
		;;
	test)
		# clang_fuzzer: also of the sanitizers. ensurepip: for a virtual environment with a real Envoy.
		printf '%s\n' "clang_format - clang-format-19" "clang_fuzzer - libclang-rt" "command ps procps" "command ss iproute2" \
			"command nsenter util-linux" "command unshare util-linux" "command nginx nginx-light" "command haproxy haproxy" "command wrk wrk" \
			"python ensurepip python3-venv" "command systemd-analyze systemd" "command dpkg-deb dpkg" "command openssl openssl" \
			"command brotli brotli" "command zstd zstd"
		;;
	grpc-web)
		printf '%s\n' "command node nodejs" "command npm npm"
		;;
	boot)
		printf '%s\n' "command debootstrap debootstrap" "command pgrep procps"
		;;
	interop)
		printf '%s\n' "command go golang-go" "command node nodejs" "command npm npm" "python ensurepip python3-venv"
		;;
	smuggling)
		# Each with the server that it brings, behind the mesh.
		printf '%s\n' "command nginx nginx-light" "command haproxy haproxy" "command apache2 apache2-bin" "command node nodejs" \
			"command go golang-go" "debian_python gunicorn python3-gunicorn" \
			"file /usr/share/java/jetty9-server.jar libjetty9-java"
		;;
	programs)
		printf '%s\n' "command go golang-go" "command cargo cargo" "command node nodejs" "command npm npm" \
			"debian_python grpc python3-grpcio" "debian_python websockets python3-websockets" \
			"command haproxy haproxy" "command socat socat" "command nc.openbsd netcat-openbsd" \
			"command redis-server redis-server" "command redis-cli redis-tools" "files /usr/lib/postgresql/*/bin/postgres postgresql" \
			"command mariadbd mariadb-server" "command mariadb mariadb-client" "command memcached memcached" \
			"command mosquitto mosquitto" "command mosquitto_pub mosquitto-clients" "command rsync rsync" \
			"command sshd openssh-server" "command ssh openssh-client" "command vsftpd vsftpd" "command lftp lftp" \
			"command iperf3 iperf3" "command beanstalkd beanstalkd" "command gearmand gearman-job-server" \
			"command gearman gearman-tools" "command dnsmasq dnsmasq-base" "command unbound unbound" "command dig bind9-dnsutils" "command slapd slapd" \
			"command ldapsearch ldap-utils" "command ab apache2-utils" "command git git" "command openssl openssl" \
			"command stunnel4 stunnel4" "command lighttpd lighttpd" \
			"files /usr/lib/nginx/modules/ngx_stream_module.so libnginx-mod-stream"
		;;
	esac
}

# found KIND THING: whether it is there.
found() {
	case "$1" in
	jdk) [ -n "$(find_jdk)" ] ;;
	clang) [ -n "$(find_clang)" ] ;;
	clang_format) have clang-format-19 || have clang-format ;;
	clang_fuzzer) have_clang_fuzzer ;;
	command) have "$2" ;;
	library) have_library "$2" ;;
	python) python3 -c "import $2" 2>/dev/null ;;
	debian_python) /usr/bin/python3 -c "import $2" 2>/dev/null ;;
	files) compgen -G "$2" >/dev/null ;;
	file) [ -e "$2" ] ;;
	esac
}

# ensure_tools PURPOSE…: installs what is missing for these; sets and exports JAVA_HOME.
ensure_tools() {
	local version="" home="" purposes=""
	if [ -r "$SETUP_ENV" ]; then
		{ read -r version && read -r home && read -r purposes; } <"$SETUP_ENV" || true
		if [ "$version" = "$SETUP_VERSION" ] && [ -x "$home/bin/javac" ] && covers "$purposes" "$@"; then
			export JAVA_HOME="$home"
			return
		fi
		[ "$version" = "$SETUP_VERSION" ] || purposes=""
	fi
	mkdir -p "$TULLE_HOME/.tools"
	exec 8>"$TULLE_HOME/.tools/lock"
	flock 8
	find_tools "$@"
	# shellcheck disable=SC2086
	printf '%s\n%s\n%s\n' "$SETUP_VERSION" "$JAVA_HOME" "$(printf '%s\n' $purposes "$@" | sort -u | tr '\n' ' ')" >"$SETUP_ENV"
	exec 8>&-
}

# covers HAVE PURPOSE…: whether each purpose is among the words.
covers() {
	local have=" $1 " purpose
	shift
	for purpose in "$@"; do
		case "$have" in
		*" $purpose "*) ;;
		*) return 1 ;;
		esac
	done
}

find_tools() {
	local missing=() purpose kind thing package
	for purpose in "$@"; do
		while read -r kind thing package; do
			case " ${missing[*]-} " in
			*" $package "*) continue ;;
			esac
			found "$kind" "$thing" || missing+=("$package")
		done < <(needs_of "$purpose")
	done
	if [ "${#missing[@]}" -gt 0 ]; then
		install_packages "${missing[@]}"
	fi
	JAVA_HOME="$(find_jdk)"
	[ -n "$JAVA_HOME" ] || die_without_jdk
	[ -n "$(find_clang)" ] || die "needs clang 14 or newer to build the kernel programs, found none: install one"
	export JAVA_HOME
}

die_without_jdk() {
	die "needs a JDK 25 or newer, found none in JAVA_HOME, on the PATH or under /usr/lib/jvm, and this distribution has no package $JDK_PACKAGE (Debian 13 has): unpack one, such as Eclipse Temurin's, and set JAVA_HOME to it, or install a package that was built elsewhere (docs/operations.md)"
}

# have COMMAND: also in the places that a user's PATH often lacks.
have() {
	command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ]
}

have_library() {
	local file
	for file in /usr/lib/*/"$1" /usr/lib64/"$1" /usr/lib/"$1" /lib/*/"$1"; do
		[ -e "$file" ] && return 0
	done
	return 1
}

# ensure_runtime: for an installed tree: sets and exports JAVA_HOME, the tree's own runtime or the host's.
ensure_runtime() {
	JAVA_HOME="$([ -x "$TULLE_HOME/runtime/bin/java" ] && printf '%s\n' "$TULLE_HOME/runtime" || find_jdk java)"
	[ -n "$JAVA_HOME" ] || die "needs a Java 25 runtime or newer, found none in $TULLE_HOME/runtime, JAVA_HOME, on the PATH or under /usr/lib/jvm: install one (Debian 13: openjdk-25-jre-headless), or a package with its own runtime (docs/operations.md)"
	export JAVA_HOME
}

# find_jdk [TOOL]: prints the home of the first JDK that is new enough and has the tool (default javac: a runtime has only
# java); nothing when there is none.
find_jdk() {
	local candidate tool=${1:-javac}
	local candidates=()
	[ -n "${JAVA_HOME-}" ] && candidates+=("$JAVA_HOME")
	if command -v "$tool" >/dev/null 2>&1; then
		candidate="$(readlink -f -- "$(command -v "$tool")")"
		candidates+=("${candidate%/bin/*}")
	fi
	for candidate in /usr/lib/jvm/*; do
		[ -L "$candidate" ] || candidates+=("$candidate")
	done
	for candidate in "${candidates[@]}"; do
		if [ -x "$candidate/bin/$tool" ] && [ "$(jdk_major "$candidate")" -ge 25 ]; then
			printf '%s\n' "$candidate"
			return
		fi
	done
}

# have_clang_fuzzer: whether clang's runtime of libFuzzer and the sanitizers is there.
have_clang_fuzzer() {
	local clang folder
	clang="$(find_clang)"
	[ -n "$clang" ] || return 1
	folder="$("$clang" -print-runtime-dir)"
	compgen -G "$folder/libclang_rt.fuzzer*" >/dev/null || compgen -G "${folder%/*}/linux/libclang_rt.fuzzer*" >/dev/null
}

# jdk_major HOME: the feature version, 0 when it cannot be told.
jdk_major() {
	local line major=0
	if [ -r "$1/release" ]; then
		while IFS= read -r line; do
			case "$line" in
			JAVA_VERSION=*)
				line="${line#JAVA_VERSION=\"}"
				major="${line%%[!0-9]*}"
				;;
			esac
		done <"$1/release"
	fi
	printf '%s\n' "${major:-0}"
}

# find_clang: prints the newest clang that is new enough; nothing when there is none.
find_clang() {
	local name text major
	for name in clang-19 clang clang-21 clang-20 clang-18 clang-17 clang-16 clang-15 clang-14; do
		command -v "$name" >/dev/null 2>&1 || continue
		text="$("$name" --version 2>/dev/null)" || continue
		major="${text#*version }"
		major="${major%%[!0-9]*}"
		if [ "${major:-0}" -ge 14 ]; then
			printf '%s\n' "$name"
			return
		fi
	done
}

# install_packages NAME…: by apt-get; one sentence when that is not possible.
install_packages() {
	local packages=("$@") start=$SECONDS
	if ! command -v apt-get >/dev/null 2>&1; then
		die "missing: ${packages[*]} (Debian's names); this distribution has no apt-get, install their counterparts and start again"
	fi
	if [ "$(id -u)" != 0 ]; then
		die "missing: ${packages[*]}; install them as root: apt-get install --no-install-recommends ${packages[*]}"
	fi
	say "installing ${packages[*]}"
	export DEBIAN_FRONTEND=noninteractive
	step "reading the package lists (log: .tools/setup.log)"
	apt-get update >>"$SETUP_LOG" 2>&1 || say "apt-get update failed, going on with the lists there are (.tools/setup.log)"
	local wanted=() name clang_version=""
	for name in "${packages[@]}"; do
		# The version that the C sources are formatted and tested with, where the distribution has it.
		if [ "$name" = clang ] && in_archive clang-19; then
			name=clang-19
		fi
		if [ "$name" = libclang-rt ]; then
			clang_version="$(find_clang)"
			clang_version="$([ -z "$clang_version" ] || "$clang_version" -dumpversion)"
			name="libclang-rt-${clang_version%%.*}-dev"
			[ -n "$clang_version" ] || name=libclang-rt-19-dev
		fi
		if in_archive "$name"; then
			wanted+=("$name")
		elif [ "$name" = "$JDK_PACKAGE" ]; then
			die_without_jdk
		else
			die "this distribution has no package $name: install its counterpart and start again"
		fi
	done
	step "installing ${#wanted[@]} packages"
	install_unstarted "${wanted[@]}" ||
		die "apt-get could not install ${wanted[*]}: $(tail -n 1 "$SETUP_LOG") (.tools/setup.log)"
	hash -r
	done_line "installed what was missing in $((SECONDS - start)) s"
}

# install_unstarted PACKAGE…: what packages would start in passing is not started, for the tests start what they need
# themselves. A host that has such a rule of its own keeps it.
install_unstarted() (
	local policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		trap 'rm -f /usr/sbin/policy-rc.d' EXIT
		printf '#!/bin/sh\n# Of Tulle, while it installs packages.\nexit 101\n' >"$policy"
		chmod 755 "$policy"
	fi
	apt-get install -y --no-install-recommends "$@" >>"$SETUP_LOG" 2>&1 </dev/null
)

# in_archive PACKAGE: whether this distribution has a version of it to install.
in_archive() {
	[ -n "$(apt-cache madison "$1" 2>/dev/null)" ]
}
