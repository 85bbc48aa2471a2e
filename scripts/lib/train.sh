#!/usr/bin/env bash
# Makes the start-up archives of an installed tree by a short run of each role, with the Java that will run it. As root.
set -euo pipefail
TULLE_HOME="$(readlink -f -- "${BASH_SOURCE[0]%/*}/../..")"
export TULLE_HOME
DIST="$TULLE_HOME/dist"
# shellcheck source-path=SCRIPTDIR
. "$TULLE_HOME/scripts/lib/say.sh"
. "$TULLE_HOME/scripts/lib/setup.sh"
. "$TULLE_HOME/scripts/lib/jvm.sh"
ensure_runtime
step "start-up archives: training"
log="$(mktemp)"
train_archives "$log"
chmod -R a+rX "$DIST/aot"
[ -s "$DIST/aot/node.aot" ] && rm -f "$log"
