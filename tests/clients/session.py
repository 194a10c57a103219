"""Asks a machine on 127.0.0.1 through Python's own HTTP client: one connection for many requests, and one for each."""

import http.client
import sys

port = int(sys.argv[1])


def ask(connection, method, path, body=None, headers={}, **options):
    connection.request(method, path, body, headers, **options)
    response = connection.getresponse()
    return response, response.read()


connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
connection.connect()
socket = connection.sock
for length in [0, 1, 1460, 65536, 1 << 20]:
    sent = bytes(at % 251 for at in range(length))
    response, body = ask(connection, "POST", "/echo", sent)
    assert (response.status, body) == (200, sent), (length, response.status, len(body))
    # An iterable has no length: it is sent in chunks.
    pieces = (sent[at : at + 5000] for at in range(0, length, 5000))
    response, body = ask(connection, "PUT", "/echo", pieces, {"Transfer-Encoding": "chunked"}, encode_chunked=True)
    assert (response.status, body) == (200, sent), (length, response.status, len(body))
for _ in range(200):
    response, body = ask(connection, "GET", "/hello")
    assert (response.status, response.version, body) == (200, 11, b"hello, world\n")
response, body = ask(connection, "HEAD", "/hello")
assert (response.status, response.getheader("Content-Length"), body) == (200, "13", b"")
response, body = ask(connection, "GET", "/nothing")
assert response.status == 404 and body.startswith(b"no function has this route")
assert connection.sock is socket, "the connection was not kept"
response, body = ask(connection, "GET", "/hello", headers={"Connection": "close"})
assert response.status == 200 and response.will_close and connection.sock is None

for _ in range(100):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    response, body = ask(connection, "POST", "/hello", b"you")
    assert (response.status, body) == (200, b"hello, you\n")
    connection.close()
print("as it must be")
