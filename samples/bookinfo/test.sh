#!/bin/bash
# Tests Bookinfo without a mesh: starts every program on free ports of 127.0.0.1 and checks them
# from outside. Needs curl, python3 and a JDK of version 25 or later. The last line is
# "N passed, M failed"; the status is 0 if nothing failed.
set -u
here=$(cd -- "$(dirname -- "$0")" && pwd -P)
work=$(mktemp -d)
passed=0 failed=0
declare -A pid port

unset http_proxy HTTP_PROXY no_proxy NO_PROXY all_proxy ALL_PROXY PORT SERVICE_VERSION
unset DETAILS_URL REVIEWS_URL RATINGS_URL TIMEOUT_SECONDS CLIENT_IDLE_SECONDS ACCESS_LOG

cleanup() {
    for name in "${!pid[@]}"; do
        kill "${pid[$name]}" 2>/dev/null
    done
    wait
    rm -rf "$work"
}
trap cleanup EXIT

ok() {
    passed=$((passed + 1))
    echo "ok      $1"
}

not_ok() {
    failed=$((failed + 1))
    echo "FAILED  $1"
    shift
    printf '        %s\n' "$@"
}

# has WHAT TEXT PART: the text holds the part.
has() {
    if [[ $2 == *"$3"* ]]; then ok "$1"; else not_ok "$1" "expected: $3" "found: ${2:0:600}"; fi
}

# lacks WHAT TEXT PART: the text is not empty and does not hold the part.
lacks() {
    if [[ -n $2 && $2 != *"$3"* ]]; then ok "$1"; else not_ok "$1" "not expected: $3" "found: ${2:0:600}"; fi
}

# start NAME [VARIABLE=VALUE]... -- COMMAND...: in the background, on the port of its name.
start() {
    local name=$1 settings=()
    shift
    while [[ $1 != -- ]]; do settings+=("$1"); shift; done
    shift
    env "${settings[@]}" PORT="${port[$name]}" "$@" >>"$work/$name.log" 2>&1 &
    pid[$name]=$!
}

# stop NAME: SIGTERM, and the exit status is 0 within 5 s.
stop() {
    local status started=$SECONDS
    kill "${pid[$1]}"
    wait "${pid[$1]}"
    status=$?
    unset "pid[$1]"
    if ((status == 0 && SECONDS - started < 5)); then
        ok "$1 ends with status 0 on SIGTERM"
    else
        not_ok "$1 ends with status 0 on SIGTERM" "status $status after $((SECONDS - started)) s"
    fi
}

# await NAME...: each answers /health; the first start may have to compile.
await() {
    local name deadline
    for name in "$@"; do
        deadline=$((SECONDS + 30))
        until curl -s -o "$work/health" "http://127.0.0.1:${port[$name]}/health"; do
            if ((SECONDS > deadline)) || ! kill -0 "${pid[$name]}" 2>/dev/null; then
                not_ok "$name starts" "$(tail -n 3 "$work/$name.log")"
                return
            fi
            sleep 0.05
        done
        has "$name is healthy" "$(cat "$work/health")" healthy
    done
}

# get NAME PATH [CURL OPTION]...
get() {
    local name=$1 path=$2
    shift 2
    curl -sS -m 20 "$@" "http://127.0.0.1:${port[$name]}$path" 2>&1
}

status_of() {
    get "$@" -o "$work/body" -w '%{http_code}'
}

# json TEXT EXPRESSION: the value of a Python expression over the document d.
json() {
    python3 -c 'import json, sys; d = json.loads(sys.argv[1]); print(eval(sys.argv[2]))' "$1" "$2" 2>&1 | tail -n 1
}

names=(details ratings reviews1 reviews2 reviews3 page1 page2 page3 down half router routed fresh dead)
mapfile -t free < <(python3 -c '
import socket, sys
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(s.getsockname()[1] for s in held), sep="\n")' "${#names[@]}")
for i in "${!names[@]}"; do port[${names[$i]}]=${free[$i]}; done
url() { echo "http://127.0.0.1:${port[$1]}"; }
run=$here/run

echo "# start"
start details -- "$run" details
start ratings -- "$run" ratings
for v in 1 2 3; do
    start "reviews$v" RATINGS_URL="$(url ratings)" -- "$run" reviews "v$v"
    start "page$v" DETAILS_URL="$(url details)" REVIEWS_URL="$(url "reviews$v")" RATINGS_URL="$(url ratings)" -- "$run" productpage
done
await details ratings reviews1 reviews2 reviews3 page1 page2 page3
has "a start line names service, version and port" "$(head -n 1 "$work/reviews3.log")" "reviews-v3 listening on [::]:${port[reviews3]}"

echo "# services"
body=$(get details /details/0)
has "details: author" "$(json "$body" 'd["author"]')" "William Shakespeare"
has "details: eight fields and the id" "$(json "$body" 'len(d)')" 9
has "ratings: stars by reviewer" "$(json "$(get ratings /ratings/0)" 'd["ratings"]["Reviewer1"], d["ratings"]["Reviewer2"]')" "(5, 4)"
has "reviews v1: no rating" "$(json "$(get reviews1 /reviews/0)" '[d["version"]] + ["rating" in r for r in d["reviews"]]')" "['v1', False, False]"
has "reviews v2: black stars" "$(json "$(get reviews2 /reviews/0)" '[(r["rating"]["stars"], r["rating"]["color"]) for r in d["reviews"]]')" "[(5, 'black'), (4, 'black')]"
has "reviews v3: red stars" "$(json "$(get reviews3 /reviews/0)" '[(r["rating"]["stars"], r["rating"]["color"]) for r in d["reviews"]]')" "[(5, 'red'), (4, 'red')]"
for name in details reviews2 ratings; do
    path=/${name%2}
    has "$name: unknown product" "$(status_of "$name" "$path/7")" 404
    has "$name: product that is no number" "$(status_of "$name" "$path/x")" 400
    has "$name: unknown path" "$(status_of "$name" /elsewhere)" 404
done
has "details: answers over IPv6 too" "$(curl -sS -m 5 "http://[::1]:${port[details]}/health" 2>&1)" healthy

echo "# page"
page=$(get page1 /productpage)
has "page: title" "$page" "The Comedy of Errors"
has "page: details" "$page" "123-1234567890"
has "page: version that answered" "$page" "reviews v1"
lacks "page: no stars with v1" "$page" 'class="stars'
has "page: black stars with v2" "$(get page2 /productpage)" 'class="stars black"'
lacks "page: no red stars with v2" "$(get page2 /productpage)" 'class="stars red"'
has "page: red stars with v3" "$(get page3 /productpage)" 'class="stars red"'
has "page: the root leads to it" "$(get page1 / -L)" "The Comedy of Errors"
has "page: style sheet" "$(get page1 /static/style.css -i)" "text/css"
has "page: script" "$(status_of page1 /static/page.js)" 200
has "page: nothing else is served from the folder" "$(status_of page1 /static/../productpage.py --path-as-is)" 404

echo "# API"
has "API: products" "$(json "$(get page1 /api/v1/products)" 'd[0]["title"]')" "The Comedy of Errors"
has "API: one product" "$(json "$(get page1 /api/v1/products/0)" 'd["author"]')" "William Shakespeare"
has "API: reviews" "$(json "$(get page3 /api/v1/products/0/reviews)" 'd["version"]')" v3
has "API: ratings" "$(json "$(get page1 /api/v1/products/0/ratings)" 'd["ratings"]["Reviewer2"]')" 4
has "API: unknown product" "$(status_of page1 /api/v1/products/9)" 404
has "API: product that is no number" "$(status_of page1 /api/v1/products/x)" 400

echo "# user and trace headers"
get page2 "/productpage?u=jason" -o "$work/body"
has "?u= names the user to ratings, through reviews" "$(tail -n 1 "$work/ratings.log")" "end-user=jason"
has "?u= shows the user" "$(cat "$work/body")" '<span class="name">jason</span>'
get page2 /login -o /dev/null -c "$work/cookies" -d username=mary
has "sign-in sets a cookie that scripts cannot read" "$(cat "$work/cookies")" "#HttpOnly_127.0.0.1"
has "the signed-in user is shown" "$(get page2 /productpage -b "$work/cookies")" '<span class="name">mary</span>'
has "the signed-in user is named to ratings" "$(tail -n 1 "$work/ratings.log")" "end-user=mary"
get page2 /logout -o /dev/null -b "$work/cookies" -c "$work/cookies" -d ''
has "sign-out forgets the user" "$(get page2 /productpage -b "$work/cookies")" "Sign in"
has "the header end-user is passed on" "$(get page2 /productpage -H 'end-user: anne'; tail -n 1 "$work/ratings.log")" "end-user=anne"
for bad in '<script>' $'jason\r\nx-evil: 1' ''; do
    get page2 /productpage -G --data-urlencode "u=$bad" -o "$work/body"
    has "a user name $(printf %q "$bad") is not taken" "$(cat "$work/body")" "Sign in"
done
get page2 /productpage -o /dev/null -H 'x-request-id: id-77'
has "x-request-id reaches ratings" "$(tail -n 1 "$work/ratings.log")" "x-request-id=id-77"

echo "# connections"
while read -r result what; do
    if [[ $result == ok ]]; then ok "$what"; else not_ok "$what"; fi
done < <(python3 -B "$here/tests/connections.py" "${port[details]}" "${port[reviews3]}" "${port[ratings]}" "${port[page3]}")

echo "# back ends that are down"
start down DETAILS_URL="$(url dead)" REVIEWS_URL="$(url dead)" RATINGS_URL="$(url dead)" -- "$run" productpage
start half DETAILS_URL="$(url details)" REVIEWS_URL="$(url dead)" -- "$run" productpage
await down half
page=$(get half /productpage)
has "no reviews: the box" "$page" "Sorry, product reviews are currently unavailable for this book."
has "no reviews: the details are there" "$page" "123-1234567890"
has "no details: the box" "$(get down /productpage)" "Sorry, product details are currently unavailable for this book."
has "no back end: the page is still a page" "$(status_of down /productpage)" 200
has "no back end: the API says 503" "$(status_of down /api/v1/products/0/reviews)" 503
has "no back end: the API says why" "$(cat "$work/body")" "Sorry, product reviews are currently unavailable for this book."
stop ratings
has "no ratings: reviews say so" "$(get page2 /productpage)" "Ratings service is currently unavailable"
has "no ratings: reviews are there" "$(get page2 /productpage)" "Reviewer1"
has "no ratings: v1 does not care" "$(get page1 /productpage)" "Reviewer1"
start ratings -- "$run" ratings
await ratings
has "ratings are back: so are the stars" "$(get page2 /productpage)" 'class="stars black"'

echo "# through an HTTP proxy, by the default names"
for name in reviews2 page2; do stop "$name"; done
python3 -B "$here/tests/router.py" "${port[router]}" "details=${port[details]}" "reviews=${port[reviews1]}" \
    "reviews@jason=${port[reviews2]}" "reviews@anne=${port[reviews2]}" "ratings=${port[ratings]}" \
    "ratings@anne=${port[ratings]}+2" "reviews@late=${port[reviews1]}+4" >"$work/router.log" 2>&1 &
pid[router]=$!
start reviews2 http_proxy="$(url router)" -- "$run" reviews v2
start routed HTTP_PROXY="$(url router)" TIMEOUT_SECONDS=3 -- "$run" productpage
start page2 http_proxy="$(url dead)" no_proxy="x.example,127.0.0.1" \
    DETAILS_URL="$(url details)" REVIEWS_URL="$(url reviews3)" -- "$run" productpage
await reviews2 routed page2
has "everybody: v1" "$(get routed /productpage)" "reviews v1"
has "jason: v2" "$(get routed '/productpage?u=jason')" "reviews v2"
has "jason: black stars, ratings by the proxy too" "$(get routed '/productpage?u=jason')" 'class="stars black"'
requests=$(<"$work/router.log")
has "productpage asks for http://details:9080" "$requests" "details:9080"
has "reviews asks for http://ratings:9080" "$requests" "ratings:9080 jason"
lacks "no offer to upgrade" "$requests" "pgrade"
get routed '/productpage?u=jason' -o /dev/null -A tester/1 -H 'traceparent: 00-aa-bb-01' -H 'tracestate: a=1' -H 'baggage: k=v' \
    -H 'b3: 1-2' -H 'x-b3-traceid: 12' -H 'cookie: secret=1'
requests=$(tail -n 1 "$work/router.log")
for part in tester/1 00-aa-bb-01 a=1 k=v 1-2 "'12'"; do
    has "trace header $part reaches the last service" "$requests" "$part"
done
lacks "cookies stay at the page" "$requests" secret
seconds=$(get routed '/productpage?u=anne' -o "$work/body" -w '%{time_total}')
has "2 s slower for one user" "$(python3 -c 'import sys; print(2 <= float(sys.argv[1]) < 3)' "$seconds")" True
has "2 s slower: the page says so" "$(cat "$work/body")" 'class="millis slow"'
has "too late: the box" "$(get routed '/productpage?u=late')" "Sorry, product reviews are currently unavailable for this book."
has "too late: the API says 504" "$(status_of routed '/api/v1/products/0/reviews?u=late')" 504
has "no_proxy is honoured" "$(get page2 /productpage)" "reviews v3"

echo "# without Maven"
mkdir "$work/a copy"
cp -r "$here/run" "$here/jdk.sh" "$here/src" "$work/a copy/"
# The JDK is on the PATH alone: a machine may have it nowhere else.
start fresh -u JAVA_HOME PATH="${JAVA_HOME:+$JAVA_HOME/bin:}$PATH" -- "$work/a copy/run" details
await fresh
has "run compiles what is not built" "$(get fresh /details/0)" "William Shakespeare"
stop fresh
has "and leaves only the jar" "$(ls "$work/a copy/target")" "tulle-samples-bookinfo.jar"
lacks "and no working folder" "$(ls -A "$work/a copy/target")" "run."

echo "# wrong settings"
has "a wrong port is one sentence" "$(PORT=x "$run" details 2>&1)" "details: PORT='x': expected a port number"
has "a wrong port is one sentence (Python)" "$(PORT=0 "$run" ratings 2>&1)" "PORT='0': expected a port number"
has "a taken port is one sentence" "$(PORT=${port[details]} "$run" ratings 2>&1)" "cannot listen on port ${port[details]}"
has "a wrong URL is one sentence" "$(RATINGS_URL=ftp://x "$run" reviews v2 2>&1)" "reviews: RATINGS_URL='ftp://x': expected"
has "an unknown service is refused" "$("$run" nothing 2>&1; echo "status $?")" "status 2"
has "an unknown version is refused" "$("$run" reviews v4 2>&1; echo "status $?")" "status 2"

echo "# stop"
for name in details reviews1 reviews2 reviews3 ratings page1 page3 down half routed; do stop "$name"; done
rm "$work/router.log" # the stand-in may complain of callers that left; the services may not
errors=$(grep -E 'Traceback|Exception in|\berror: ' "$work"/*.log | head -n 3)
if [[ -z $errors ]]; then ok "no stack trace in any log"; else not_ok "no stack trace in any log" "$errors"; fi

echo "$passed passed, $failed failed"
((failed == 0))
