"""Brokers and queues, with the clients that come with them."""
from program import program


@program("mosquitto", auto=True)
def mosquitto(run):
    port = run.port()
    config = run.write("mosquitto.conf", f"listener {port} 0.0.0.0\nallow_anonymous true\nmax_queued_messages 0\nuser root\n")
    host = run.server(f"exec mosquitto -c {config}", port)
    address = f"-h {host} -p {port}"
    for quality in (0, 1, 2):
        run.client(f"300 messages of quality {quality} while one listens", f"""
            mosquitto_sub {address} -q {quality} -t news/{quality} -C 301 >heard.{quality} &
            until [ -s heard.{quality} ]; do mosquitto_pub {address} -q {quality} -r -t news/{quality} -m first; sleep 0.1; done
            mosquitto_pub {address} -r -n -t news/{quality}
            seq 500 | mosquitto_pub {address} -q {quality} -t news/{quality} -l
            wait; grep -v first heard.{quality} | grep . | head -n 200 | md5sum""")
    run.client("200 messages of quality 2 for one who comes later", f"""
        mosquitto_sub {address} -i later -c -q 2 -t kept -E
        seq 200 | mosquitto_pub {address} -q 2 -t kept -l
        mosquitto_sub {address} -i later -c -q 2 -t kept -C 200 | md5sum""")
    run.client("a large message, kept", f"""
        head -c 2000000 {run.file} | mosquitto_pub {address} -q 1 -r -t large -s
        mosquitto_sub {address} -t large -C 1 -N | wc -c""")
    run.client("a last will", f"""
        mosquitto_sub {address} -t will -C 1 >will & sleep 0.5
        mosquitto_sub {address} -t nothing --will-topic will --will-payload gone & dying=$!
        sleep 0.7; kill -KILL $dying; {{ wait $dying; }} 2>/dev/null; for i in $(seq 60); do [ ! -s will ] || break; sleep 0.05; done; cat will""")


@program("beanstalkd")
def beanstalkd(run):
    port = run.port()
    host = run.server(f"exec beanstalkd -l 0.0.0.0 -p {port} -z 3000000", port)
    run.client("a hundred jobs", f"""
        exec 3<>/dev/tcp/{host}/{port}
        for i in $(seq 100); do word="job number $i"; printf 'put 0 0 60 %d\\r\\n%s\\r\\n' ${{#word}} "$word" >&3; read -r line <&3; done
        for i in $(seq 100); do
            printf 'reserve\\r\\n' >&3; read -r _ id size <&3; read -r body <&3; echo "$body"
            printf 'delete %d\\r\\n' "$id" >&3; read -r line <&3; echo "$line"
        done | md5sum""")
    run.client("one who waits for a job", f"""
        exec 3<>/dev/tcp/{host}/{port} 4<>/dev/tcp/{host}/{port}
        printf 'reserve-with-timeout 8\\r\\n' >&3
        (sleep 0.4; printf 'put 0 0 60 4\\r\\nlate\\r\\n' >&4; read -r line <&4) &
        read -r what _ size <&3; read -r body <&3; echo "$what $size $body"; wait""")


@program("gearman")
def gearman(run):
    port = run.port()
    host = run.server(f"exec gearmand -L 0.0.0.0 -p {port} -l {run.folder}/gearmand.log", port)
    address = f"-h {host} -p {port}"
    run.client("jobs for a worker", f"""
        gearman {address} -w -f upper -- tr a-z A-Z & worker=$!
        gearman {address} -w -f sum -- md5sum & second=$!
        for i in $(seq 20); do echo "word $i" | gearman {address} -t 5000 -f upper; done | md5sum
        gearman {address} -t 8000 -f sum <{run.tree}/numbers
        kill $second
        kill $worker""", 40)
