# Finds a JDK for the samples, whose script has the function fail.

# The major version of the JDK in directory $1, 0 if there is none. Read from its release file:
# starting a JVM to ask for it would double the start-up time.
jdk_major() {
    [ -x "$1/bin/java" ] && [ -r "$1/release" ] || { echo 0; return; }
    sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$1/release" | grep . || echo 0
}

# JAVA_HOME, then the java on the PATH, then the newest below /usr/lib/jvm.
find_jdk() {
    if [ -n "${JAVA_HOME:-}" ] && [ "$(jdk_major "$JAVA_HOME")" -ge 25 ]; then
        echo "$JAVA_HOME"
        return
    fi
    on_path=$(command -v java || true)
    if [ -n "$on_path" ]; then
        home=$(dirname -- "$(dirname -- "$(readlink -f -- "$on_path")")")
        if [ "$(jdk_major "$home")" -ge 25 ]; then
            echo "$home"
            return
        fi
    fi
    best='' best_major=24
    for home in /usr/lib/jvm/*; do
        major=$(jdk_major "$home")
        if [ "$major" -gt "$best_major" ]; then
            best=$home best_major=$major
        fi
    done
    [ -n "$best" ] || fail "no JDK of version 25 or later in JAVA_HOME, on the PATH or below /usr/lib/jvm"
    echo "$best"
}
