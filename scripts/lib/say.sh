# Messages of the launcher: to stderr, so that a command's output stays clean in a pipe.

# say TEXT: one line of progress.
say() {
	printf 'tulle: %s\n' "$*" >&2
}

# step TEXT: progress that the next step or done line replaces on a terminal; one line each elsewhere.
step() {
	if [ -t 2 ]; then
		printf '\r\033[Ktulle: %s' "$*" >&2
	else
		printf 'tulle: %s\n' "$*" >&2
	fi
}

# done_line TEXT: ends a sequence of steps.
done_line() {
	if [ -t 2 ]; then
		printf '\r\033[Ktulle: %s\n' "$*" >&2
	else
		printf 'tulle: %s\n' "$*" >&2
	fi
}

# die TEXT: the one sentence that says what is wrong and what helps; status 1.
die() {
	if [ -t 2 ]; then
		printf '\r\033[K' >&2
	fi
	printf 'tulle: %s\n' "$*" >&2
	exit 1
}
