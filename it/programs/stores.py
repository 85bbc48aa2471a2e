"""Databases and caches, with the clients that come with them."""
import glob
import os
import sys

from program import SOURCES, program


def of_postgres():
    """Where Debian puts the programs of its newest PostgreSQL."""
    return max(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[-2]))


@program("redis", auto=True)
def redis(run):
    port, second = run.port(), run.port()
    start = "redis-server --bind 0.0.0.0 --protected-mode no --save '' --repl-diskless-sync-delay 0"
    host = run.server(f"exec {start} --port {port} --dir {run.folder}", port)
    cli = f"redis-cli -h {host} -p {port}"
    blocked = f"for i in $(seq 100); do ! {cli} info clients | grep -q blocked_clients:1 || break; sleep 0.05; done"
    run.client("30,000 values by pipe", f"""
        for i in $(seq 30000); do echo "SET key$i value$i"; done | {cli} --pipe | tail -1
        {cli} dbsize; {cli} get key29999""")
    run.client("a large value", f"{cli} -x set large <{run.file}; " + run.same(f"{cli} --raw get large | head -c {os.path.getsize(run.file)}"))
    run.client("BLPOP", f"{cli} blpop queue 8 & {blocked}; {cli} rpush queue hello >pushed; wait")
    run.client("stopped and continued in BLPOP", f"""
        {cli} blpop queue 8 & cli=$!
        {blocked}
        kill -STOP $cli; sleep 0.3; kill -CONT $cli; sleep 0.3
        {cli} rpush queue again >pushed; wait""")
    run.client("publish, subscribe", f"""
        timeout 3 {cli} subscribe news >news & until [ -s news ]; do sleep 0.05; done
        for i in 1 2 3; do {cli} publish news word$i; done; wait; cat news""")
    run.client("scripts and transactions", f"""
        {cli} eval 'return redis.call("incr", "count") + 6' 0
        printf 'MULTI\\nSET a 1\\nINCR a\\nEXEC\\n' | {cli}""")
    run.client("benchmark", f"redis-benchmark -h {host} -p {port} -n 20000 -c 20 -P 8 -q -t set,get | tr '\\r' '\\n' | grep -c 'requests per second'")
    replica = run.server(f"exec {start} --port {second} --dir {run.folder} --dbfilename second.rdb --replicaof {host} {port}",
                         second, name="replica")
    run.client("a replica", f"""
        until redis-cli -h {replica} -p {second} info replication | grep -q master_link_status:up; do sleep 0.1; done
        {cli} set last one >pushed; {cli} wait 1 8000
        redis-cli -h {replica} -p {second} get last
        [ "$({cli} dbsize)" = "$(redis-cli -h {replica} -p {second} dbsize)" ] && echo as many""")


@program("postgres", auto=True)
def postgres(run):
    port = run.port()
    programs = of_postgres()
    fresh = run.once("postgres", f"""
        install -d -m 700 -o postgres postgres.new
        setpriv --reuid postgres --regid postgres --clear-groups {programs}/initdb -D postgres.new -A trust -E UTF8 --locale C.UTF-8
        echo 'host all all all trust' >>postgres.new/pg_hba.conf
        mv postgres.new postgres""")
    run.prepare(f"cp -a {fresh} data; install -d -o postgres run")
    host = run.server(
        f"exec setpriv --reuid postgres --regid postgres --clear-groups {programs}/postgres -D {run.folder}/data -p {port}"
        f" -c listen_addresses=0.0.0.0 -c unix_socket_directories={run.folder}/run -c fsync=off", port)
    address = f"-h {host} -p {port} -U postgres"
    psql = f"psql {address} -qAtX"
    run.client("started", f"for i in $(seq 100); do {psql} -c 'select 1' >started 2>&1 && break; sleep 0.1; done; {psql} -c 'select 40 + 2'", 30)
    run.client("COPY out", f"{psql} -c \"copy (select g, md5(g::text), repeat('x', 30) from generate_series(1, 400000) g) to stdout\" >copy.txt; md5sum <copy.txt; wc -l <copy.txt", 60)
    run.client("COPY in", f"{psql} -c 'create table t(a int, b text, c text)' -c '\\copy t from copy.txt' -c 'select count(*), sum(a), min(b) from t'", 60)
    run.client("a cursor", f"{psql} -v FETCH_COUNT=1000 -c 'select * from t' | md5sum", 40)
    run.client("LISTEN, NOTIFY", f"""
        {psql} -c 'listen news' -c "select 'waits' from pg_sleep(1.5)" -c 'select 1' >news &
        for i in $(seq 100); do [ "$({psql} -c "select count(*) from pg_stat_activity where query like '%waits%sleep(1.5)%' and state = 'active' and pid <> pg_backend_pid()")" != 1 ] || break; sleep 0.05; done
        {psql} -c "notify news, 'hello'"; wait; sed 's/PID [0-9]*/PID/' news""")
    run.client("a cancelled query", f"timeout --foreground -s INT 1 {psql} -c 'select pg_sleep(8)'", status=124)
    run.client("pgbench", f"""
        {programs}/pgbench {address} -i -q postgres >bench.txt 2>&1
        {programs}/pgbench {address} -c 4 -t 100 postgres 2>&1 | grep -E 'actually processed|failed'""", 40)
    run.client("pgbench, prepared, a connection each time", f"{programs}/pgbench {address} -S -M prepared -C -c 2 -t 40 postgres 2>&1 | grep -E 'actually processed|failed'", 40)


@program("mariadb", auto=True)
def mariadb(run):
    port = run.port()
    fresh = run.once("mariadb", """
        install -d -o mysql mariadb.new
        mariadb-install-db --no-defaults --user=mysql --datadir=$PWD/mariadb.new --auth-root-authentication-method=normal --skip-test-db
        mv mariadb.new mariadb""")
    run.prepare(f"cp -a {fresh} data")
    host = run.server(
        f"exec mariadbd --no-defaults --user=mysql --datadir={run.folder}/data --port={port} --bind-address=0.0.0.0"
        f" --socket={run.folder}/data/socket --skip-grant-tables --skip-networking=0 --local-infile=1"
        " --innodb-flush-log-at-trx-commit=0", port)
    client = f"mariadb --no-defaults -h {host} -P {port} --local-infile=1 -N -B"
    run.client("started", f"for i in $(seq 100); do {client} -e 'select 1' >started 2>&1 && break; sleep 0.1; done; {client} -e 'select 40 + 2'", 30)
    run.client("300,000 rows out", f"{client} -e 'create database d'; {client} d --quick -e \"select seq, md5(seq), repeat('y', 30) from seq_1_to_300000\" >rows.txt; md5sum <rows.txt", 40)
    run.client("and in", f"{client} d -e \"create table t(a int, b char(32), c char(30)); load data local infile '{run.folder}/rows.txt' into table t; select count(*), sum(a), min(b) from t\"", 60)
    run.client("an interrupted query", f"timeout --foreground -s INT 1 {client} -e 'select sleep(8)'", status=124)
    run.client("a dump", f"mariadb-dump --no-defaults -h {host} -P {port} --compact --skip-comments d t | md5sum", 40)
    run.client("20 short sessions", f"for i in $(seq 20); do {client} -e \"select $i\"; done | md5sum", 60)


@program("memcached")
def memcached(run):
    port = run.port()
    host = run.server(f"exec memcached -u nobody -p {port} -l 0.0.0.0 -m 200 -I 4m", port)
    run.client("values small and large", f"{sys.executable} {SOURCES}/memcached.py {host} {port}")


@program("openldap")
def openldap(run):
    port = run.port()
    config = run.write("slapd.conf", f"""
include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
directory {run.folder}/ldap
suffix "dc=test"
rootdn "cn=admin,dc=test"
rootpw secret
sizelimit unlimited
""")
    run.write("entries.ldif", "dn: dc=test\nobjectClass: dcObject\nobjectClass: organization\ndc: test\no: test\n\n" + "".join(
        f"dn: cn=person{n},dc=test\nobjectClass: person\ncn: person{n}\nsn: name{n}\ndescription: {'x' * 200}\n\n" for n in range(500)))
    run.prepare("mkdir ldap")
    host = run.server(f"exec slapd -d 0 -h ldap://0.0.0.0:{port}/ -f {config}", port)
    address = f"-x -H ldap://{host}:{port} -D cn=admin,dc=test -w secret"
    run.client("500 entries in", f"ldapadd {address} -f entries.ldif | grep -c adding", 40)
    run.client("and out", f"ldapsearch {address} -LLL -b dc=test '(objectClass=person)' | md5sum")
    run.client("in pages, one by one, changed", f"""
        ldapsearch {address} -LLL -E pr=50/noprompt -b dc=test '(sn=name4*)' cn | grep -c ^cn:
        for i in 1 2 3 4 5 6 7 8 9; do ldapsearch {address} -LLL -b dc=test "(cn=person$i)" sn | grep ^sn; done
        printf 'dn: cn=person1,dc=test\\nchangetype: modify\\nreplace: sn\\nsn: another\\n' | ldapmodify {address} | grep -c modifying
        ldapcompare {address} cn=person1,dc=test sn:another || [ $? = 6 ]""")
