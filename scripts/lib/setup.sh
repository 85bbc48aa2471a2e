# What Tulle needs on a machine, found or installed. The result is kept in .tools/setup.env, so that the second start
# costs one file read. Delete .tools to look again.

SETUP_ENV="$TULLE_HOME/.tools/setup.env"
SETUP_LOG="$TULLE_HOME/.tools/setup.log"
# Raised when the list of needs grows, so that a machine set up before is looked at again.
SETUP_VERSION=1

# ensure_tools: sets and exports JAVA_HOME; installs what is missing.
ensure_tools() {
	local version="" home=""
	if [ -r "$SETUP_ENV" ]; then
		{ read -r version && read -r home; } <"$SETUP_ENV" || true
		if [ "$version" = "$SETUP_VERSION" ] && [ -x "$home/bin/java" ]; then
			export JAVA_HOME="$home"
			return
		fi
	fi
	mkdir -p "$TULLE_HOME/.tools"
	exec 8>"$TULLE_HOME/.tools/lock"
	flock 8
	find_tools
	exec 8>&-
}

find_tools() {
	local missing=() command package
	home="$(find_jdk)"
	# command:package, in apt's names; a path instead of a command is a file that must exist.
	[ -n "$(find_clang)" ] || missing+=(clang)
	for entry in mvn:maven bpftool:bpftool make:make nft:nftables ip:iproute2 curl:curl \
		python3:python3 setpriv:util-linux flock:util-linux; do
		command="${entry%%:*}" package="${entry#*:}"
		have "$command" || missing+=("$package")
	done
	[ -e /usr/include/bpf/libbpf.h ] || missing+=(libbpf-dev)
	have_library libbpf.so.1 || missing+=(libbpf1)
	[ -n "$home" ] || missing+=(openjdk-25-jdk-headless)
	if [ "${#missing[@]}" -gt 0 ]; then
		install_packages "${missing[@]}"
		home="$(find_jdk)"
	fi
	[ -n "$home" ] || die "needs a JDK 25 or newer, found none in JAVA_HOME, on the PATH or under /usr/lib/jvm, and this distribution has no package openjdk-25-jdk-headless: install one and set JAVA_HOME"
	[ -n "$(find_clang)" ] || die "needs clang 14 or newer to build the kernel programs, found none: install one"
	export JAVA_HOME="$home"
	printf '%s\n%s\n' "$SETUP_VERSION" "$home" >"$SETUP_ENV"
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

# find_jdk: prints the home of the first JDK that is new enough; nothing when there is none.
find_jdk() {
	local candidate
	local candidates=()
	[ -n "${JAVA_HOME-}" ] && candidates+=("$JAVA_HOME")
	if command -v javac >/dev/null 2>&1; then
		candidate="$(readlink -f -- "$(command -v javac)")"
		candidates+=("${candidate%/bin/javac}")
	fi
	for candidate in /usr/lib/jvm/*; do
		[ -L "$candidate" ] || candidates+=("$candidate")
	done
	for candidate in "${candidates[@]}"; do
		if [ -x "$candidate/bin/javac" ] && [ "$(jdk_major "$candidate")" -ge 25 ]; then
			printf '%s\n' "$candidate"
			return
		fi
	done
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
		die "missing: ${packages[*]}; install them as root: apt-get install ${packages[*]}"
	fi
	say "installing ${packages[*]}"
	export DEBIAN_FRONTEND=noninteractive
	step "reading the package lists (log: .tools/setup.log)"
	apt-get update >>"$SETUP_LOG" 2>&1 || say "apt-get update failed, going on with the lists there are (.tools/setup.log)"
	local wanted=() name
	for name in "${packages[@]}"; do
		# The version that the C sources are formatted and tested with, where the distribution has it.
		if [ "$name" = clang ] && apt-cache show clang-19 >/dev/null 2>&1; then
			name=clang-19
		fi
		if apt-cache show "$name" >/dev/null 2>&1; then
			wanted+=("$name")
		elif [ "$name" != openjdk-25-jdk-headless ]; then
			die "this distribution has no package $name: install its counterpart and start again"
		fi
	done
	if [ "${#wanted[@]}" -gt 0 ]; then
		step "installing ${#wanted[@]} packages"
		apt-get install -y --no-install-recommends "${wanted[@]}" >>"$SETUP_LOG" 2>&1 </dev/null ||
			die "apt-get could not install ${wanted[*]}: $(tail -n 1 "$SETUP_LOG") (.tools/setup.log)"
	fi
	hash -r
	done_line "installed what was missing in $((SECONDS - start)) s"
}
