"""Files, shells and names: what transfers with more than one connection or a protocol of its own."""
import sys

from program import PEER, SOURCES, program


@program("rsync")
def rsync(run):
    port = run.port()
    config = run.write("rsyncd.conf", f"""
use chroot = no
port = {port}
[tree]
path = {run.tree}
read only = yes
[in]
path = {run.folder}/in
read only = no
uid = 0
gid = 0
""")
    run.prepare("mkdir in")
    host = run.server(f"exec rsync --daemon --no-detach --config={config}", port)
    run.client("a tree down", f"rsync -a rsync://{host}:{port}/tree/ down && diff -r {run.tree} down && echo same")
    run.client("a tree up, compressed", f"""
        rsync -az --no-links {run.tree}/ rsync://{host}:{port}/in/
        cmp {run.tree}/numbers in/numbers && cmp {run.tree}/deep/some.bin in/deep/some.bin && echo same""")
    run.client("only what changed", f"""
        echo more >>in/numbers
        rsync -a --no-links --ignore-times --stats {run.tree}/ rsync://{host}:{port}/in/ | grep -E '^(Matched|Literal)'
        cmp {run.tree}/numbers in/numbers && echo same""")


@program("ssh", auto=True)
def ssh(run):
    port, lines, forwarded = run.port(), run.port(), run.port()
    end = run.server(f"exec {PEER} lines {lines}", lines, name="end")
    run.prepare("ssh-keygen -q -t ed25519 -N '' -f host; ssh-keygen -q -t ed25519 -N '' -f me; cp me.pub authorized")
    config = run.write("sshd.conf", f"""
Port {port}
ListenAddress 0.0.0.0
HostKey {run.folder}/host
AuthorizedKeysFile {run.folder}/authorized
StrictModes no
UsePAM no
PidFile none
PermitRootLogin yes
Subsystem sftp internal-sftp
""")
    start = f"exec /usr/sbin/sshd -D -e -f {config}"
    # It wants a folder that only systemd makes.
    apart = f"exec unshare --mount bash -c 'mount -t tmpfs sshd /run && mkdir /run/sshd && {start}'"
    host = run.server(f"[ -d /run/sshd ] || {apart}; {start}", port)
    options = (f"-i {run.folder}/me -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
               " -o ConnectTimeout=8 -F none")
    remote = f"ssh {options} -p {port} root@{host}"
    run.client("a command and its status", f"{remote} 'echo hello; exit 3'", status=3)
    run.client("through cat and back", run.same(f"cat {run.file} | {remote} cat"), 40)
    large = run.once("large.bin", "cat file.bin file.bin file.bin | head -c 50000000 >new.bin; mv new.bin large.bin")
    there = f"root@{host}"
    run.client("scp, 50 MB up", f"scp -q {options} -P {port} {large} {there}:{run.folder}/up && cmp {large} up && echo same", 60)
    run.client("scp by its old protocol, 50 MB down",
               f"scp -q -O {options} -P {port} {there}:{large} down && cmp {large} down && echo same", 60)
    run.client("sftp, 50 MB down", f"""
        echo 'get {large} got' | sftp -q {options} -P {port} -b - {there} >sftp.txt; cmp {large} got && echo same""", 60)
    run.client("slow output", f"{remote} 'for i in 1 2 3; do echo $i; sleep 0.2; done'")
    run.client("forwarding", f"""
        {remote} -N -L 127.0.0.1:{forwarded}:{end}:{lines} -o ExitOnForwardFailure=yes & forward=$!
        for i in $(seq 100); do (exec 3<>/dev/tcp/127.0.0.1/{forwarded}) 2>/dev/null && break; sleep 0.05; done
        {PEER} talk 127.0.0.1 {forwarded}; kill $forward""")


@program("ftp")
def ftp(run):
    port, *passive = [run.port() for _ in range(7)]
    run.prepare(f"mkdir -p ftp/pub empty; cp {run.file} ftp/pub/; cp {run.tree}/numbers ftp/pub/; install -d -m 777 ftp/in")
    config = run.write("vsftpd.conf", f"""
listen=YES
listen_port={port}
background=NO
anonymous_enable=YES
no_anon_password=YES
anon_root={run.folder}/ftp
write_enable=YES
anon_upload_enable=YES
anon_umask=022
connect_from_port_20=NO
pasv_min_port={passive[0]}
pasv_max_port={passive[-1]}
secure_chroot_dir={run.folder}/empty
ftp_username=daemon
seccomp_sandbox=NO
""")
    host = run.server(f"exec vsftpd {config}", port, silent=passive)
    url = f"ftp://{host}:{port}"
    run.client("passive, EPSV", run.same(f"curl -sS {url}/pub/file.bin"), 12)
    run.client("passive, PASV at the address it names", run.same(f"curl -sS --no-ftp-skip-pasv-ip --disable-epsv {url}/pub/file.bin"), 12)
    run.client("passive, an upload and a list", f"""
        curl -sS -T {run.file} {url}/in/up && cmp {run.file} ftp/in/up && echo same
        curl -sS {url}/pub/ | grep -c -E 'file.bin|numbers'""", 12)
    run.client("active", run.same(f"curl -sS --ftp-port - {url}/pub/file.bin"), 12)
    run.client("active, an upload", f"curl -sS --ftp-port - -T {run.tree}/numbers {url}/in/active && cmp {run.tree}/numbers ftp/in/active && echo same", 12)
    run.client("lftp, a mirror", f"lftp -e 'set net:timeout 5; set net:max-retries 1; mirror /pub mirrored; bye' {url} && diff -r ftp/pub mirrored && echo same")


@program("iperf3")
def iperf3(run):
    port = run.port()
    host = run.server(f"exec iperf3 -s -p {port}", port)
    verdict = """python3 -c '
import json, sys
told = json.load(sys.stdin)
sent = told.get("end", {}).get("sum_sent", {}).get("bytes", 0)
print(told.get("error", "no error"), "all" if sent >= 90_000_000 else sent)'"""
    for options in ("", "-R", "-P 4", "--bidir", "-Z", "-w 32K"):
        run.client(f"100 MB {options}".strip(), f"iperf3 -c {host} -p {port} -n 100M {options} -J | {verdict}", 30)


@program("git")
def git(run):
    port = run.port()
    run.once("repo.git", f"""
        git init -q new; cp -r tree/. new/; cp file.bin new/; git -C new add .
        git -C new -c user.name=it -c user.email=it@test -c commit.gpgsign=false commit -q -m all
        git clone -q --bare new repo.git""")
    host = run.server(f"exec git daemon --export-all --base-path={run.material} --port={port} --listen=0.0.0.0 --reuseaddr", port)
    run.client("a clone", f"""
        git clone -q git://{host}:{port}/repo.git clone && git -C clone fsck 2>&1 | grep -v -i checking
        diff -r {run.tree}/deep clone/deep && cmp {run.file} clone/file.bin && echo same""", 40)
    run.client("names and a fetch", f"git ls-remote git://{host}:{port}/repo.git | wc -l; git -C clone fetch -q && echo fetched")


DNSMASQ = ("exec dnsmasq -k --user=root --no-resolv --no-hosts --pid-file --conf-file=/dev/null"
           " --address=/example.test/10.9.8.7 --host-record=one.test,10.1.1.1 -p {} {}")
ASKER = DNSMASQ.replace(" --address=/example.test/10.9.8.7 --host-record=one.test,10.1.1.1", "")


def names(run, host, port):
    run.client("names over TCP", f"""
        dig +tcp +short -p {port} @{host} one.test
        for i in $(seq 30); do dig +tcp +short -p {port} @{host} h$i.example.test; done | sed 's/#{port}.*//' | uniq -c""", 40)


@program("dnsmasq")
def dnsmasq(run):
    port = run.port()
    names(run, run.server(DNSMASQ.format(port, "--bind-interfaces --listen-address=${TULLE_ADDRESS:-127.0.0.1}"), port), port)


@program("fixed-port")
def fixed_port(run):
    """UDP from one port of its own to a server outside the mesh, as resolvers, NTP, SIP and WireGuard do."""
    answers, asks, port = run.port(), run.port(), run.port()
    run.outside(DNSMASQ.format(answers, "--bind-interfaces --listen-address=127.0.0.1"), 1, "outside")
    host = run.server(ASKER.format(
        port, f"--bind-interfaces --listen-address=${{TULLE_ADDRESS:-127.0.0.1}} --query-port={asks}"
              f" --server=127.0.0.1#{answers}"), port)
    run.client("a resolver that asks from one port", f"dig +tcp +short -p {port} @{host} host.example.test one.test", 20)
    echo = run.port()
    run.outside(f"exec {sys.executable} {SOURCES}/echo.py {echo}", 1, "echo")
    for way in ("unconnected", "connected"):
        run.client(f"from a fixed port, {way}", f"{sys.executable} {SOURCES}/fixed.py {way} {run.port()} {echo}", 10)


@program("dnsmasq-wildcard")
def dnsmasq_wildcard(run):
    """It serves what comes in at an address that it finds among those of the interfaces."""
    port = run.port()
    names(run, run.server(DNSMASQ.format(port, ""), port), port)


@program("unbound")
def unbound(run):
    port = run.port()
    config = run.write("unbound.conf", f"""
server:
    directory: "{run.folder}"
    username: ""
    chroot: ""
    pidfile: ""
    use-syslog: no
    interface: 0.0.0.0
    port: {port}
    do-udp: no
    access-control: 0.0.0.0/0 allow
    local-zone: "example.test." redirect
    local-data: "example.test. A 10.9.8.7"
    local-data: "one.test. A 10.1.1.1"
""")
    names(run, run.server(f"exec /usr/sbin/unbound -d -c {config}", port), port)
