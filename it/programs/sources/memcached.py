"""memcached's lines, without waiting for each answer: memcached.py HOST PORT."""
import socket
import sys

host, port = sys.argv[1], int(sys.argv[2])
with socket.create_connection((host, port)) as connection, connection.makefile("rwb") as file:
    small = {b"key%d" % n: b"v" * (n * 97 % 5000) for n in range(1000)}
    for key, value in small.items():
        file.write(b"set %s 0 0 %d noreply\r\n%s\r\n" % (key, len(value), value))
    large = bytes(range(250)) * 12_000
    file.write(b"set large 0 0 %d\r\n%s\r\n" % (len(large), large))
    file.flush()
    print(file.readline().decode().strip())
    file.write(b"get " + b" ".join([*small, b"large"]) + b"\r\n")
    file.flush()
    right = 0
    while (line := file.readline()).startswith(b"VALUE"):
        _, key, _, size = line.split()
        right += file.read(int(size) + 2)[:-2] == small.get(key, large)
    print(right, "right, then", line.decode().strip())
    file.write(b"incr absent 1\r\nset n 0 0 1\r\n5\r\nincr n 37\r\n")
    file.flush()
    print(*(file.readline().decode().strip() for _ in range(3)))
