"""Requests as bytes, so that nothing between here and the proxies makes them tidy."""

PORT = 9080


def request(service, method="GET", target="/", host=None, fields=(), body=None):
    """`host`: None for the service's name; "" for no Host at all. The nonce follows when the configuration is known."""
    return {"service": service, "method": method, "target": target, "host": service if host is None else host,
            "fields": [list(field) for field in fields], "body": body}


def numbered(number, requests):
    """Gives each of a configuration's requests its name and its bytes."""
    made = []
    for place, said in enumerate(requests):
        lines = [f"{said['method']} {said['target']} HTTP/1.1"]
        lines += [f"Host: {said['host']}"] if said["host"] else []
        nonce = f"{number}.{place}"
        lines += [f"{name}: {value}" for name, value in said["fields"]] + [f"x-nonce: {nonce}"]
        lines += [f"Content-Length: {len(said['body'])}"] if said["body"] is not None else []
        data = "\r\n".join(lines) + "\r\n\r\n" + (said["body"] or "")
        made.append({**said, "id": nonce, "data": data.encode("latin-1").hex()})
    return made
