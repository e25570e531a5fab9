"""Fills a Prometheus by remote write, with what a script says that scrapes saw.

    import remote_write

    labels = {"__name__": "http_requests_total", "pod": "checkout-1"}
    remote_write.write(port, [(labels, [(1_789_000_000_000, 41), (1_789_000_015_000, 44)])])

The Prometheus is started with `--web.enable-remote-write-receiver`. It takes samples in the order
of time only, so all series are written together, minute by minute. The messages are those of
Prometheus, `prompb/remote.proto` and `prompb/types.proto`, in the encoding of Protocol Buffers.
"""

import http.client
import struct

import proving

# So that no request is large.
SECONDS_A_REQUEST = 60


def write(port, series):
    """Writes pairs of labels and samples `(milliseconds, value)`, these in the order of time."""
    heads = [b"".join(label(*pair) for pair in sorted(labels.items())) for labels, _ in series]
    places = [0] * len(series)
    until = min(samples[0][0] for _, samples in series)
    last = max(samples[-1][0] for _, samples in series)
    while until <= last:
        until += SECONDS_A_REQUEST * 1000
        request = bytearray()
        for index, (_, samples) in enumerate(series):
            place, part = places[index], bytearray()
            while place < len(samples) and samples[place][0] < until:
                part += sample(*samples[place])
                place += 1
            places[index] = place
            if part:
                request += message(1, heads[index] + part)  # WriteRequest.timeseries
        if request:
            post(port, bytes(request))


def post(port, request):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {
        "Content-Type": "application/x-protobuf",
        "Content-Encoding": "snappy",
        "X-Prometheus-Remote-Write-Version": "0.1.0",
    }
    connection.request("POST", "/api/v1/write", snappy(request), headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    proving.require(answer.status // 100 == 2, f"remote write: status {answer.status}: {text}")


def label(name, value):
    # TimeSeries.labels: Label.name, Label.value.
    return message(1, message(1, name.encode()) + message(2, value.encode()))


def sample(at_ms, value):
    # TimeSeries.samples: Sample.value is a double, Sample.timestamp a varint.
    return message(2, b"\x09" + struct.pack("<d", value) + b"\x10" + varint(at_ms))


def message(field, content):
    """A field of bytes, a text or a message: its number and type, its length, its content."""
    return varint(field << 3 | 2) + varint(len(content)) + content


def varint(number):
    """A number below 2^64: seven bits a byte, the lowest first; the eighth says that more come."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def snappy(content):
    """A block of the Snappy format in which all is literal (Snappy, `format_description.txt`)."""
    block = bytearray(varint(len(content)))
    for start in range(0, len(content), 1 << 16):
        literal = content[start : start + (1 << 16)]
        # The tag of a literal whose length less one is in the two bytes after it.
        block += bytes([61 << 2]) + struct.pack("<H", len(literal) - 1) + literal
    return bytes(block)
