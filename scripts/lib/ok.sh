# For the tests of scripts: counts what succeeds in `passed` and what does not in `failed`.

# ok WHAT COMMAND…: the command succeeds.
ok() {
	local what=$1 out
	shift
	if out="$("$@" 2>&1)"; then
		passed=$((passed + 1))
		echo "ok $what"
	else
		failed=$((failed + 1))
		printf 'not ok %s\n%s\n' "$what" "$out" | head -n 30
	fi
}
