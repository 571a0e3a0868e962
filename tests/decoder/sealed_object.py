#!/usr/bin/env python3
"""Opens sealed objects: a second implementation of gateway/FORMAT.md, written from its text.

It shares no code with the gateway and needs nothing but Python and the package `cryptography`. Use it to read an
object straight from the backend when there is no gateway, and to hold the gateway to its own standard.

    sealed_object.py open --envelope VALUE --arn ARN KEY... BODY > PLAINTEXT
    sealed_object.py show --envelope VALUE
    sealed_object.py check < CASES

KEY is --wrapping-key HEX (the SSE-S3 root key, the bucket key or the customer's key) or --data-key HEX (what the KMS
decrypted from the envelope's blob); DSSE-KMS takes --outer-key HEX besides. `check` reads one case a line, as
seal_random writes them, and fails unless each opens to what was sealed, and none does once a bit was flipped.
"""
import argparse
import base64
import hashlib
import hmac
import json
import random
import re
import struct
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

MAGIC, VERSION = b"sealgate", 1
HEAD, CHUNK, TAG, TRAILER, TAIL = 72, 16384, 16, 144, 40
TABLE_START, TABLE_ENTRY = 64, 120
WHOLE, PART, FOOTER = 0, 1, 2
MODES = {1: "SSE-S3", 2: "SSE-KMS", 3: "BUCKET-KEY", 4: "DSSE-KMS", 5: "SSE-C"}
CHECKSUMS = {0: 0, 1: 4, 2: 4, 3: 8, 4: 20, 5: 32, 6: 64, 7: 16, 8: 8, 9: 8, 10: 16}


class Refused(Exception):
    """The object is not one that the holder of its key sealed, or not as it was sealed."""


def require(condition, reason):
    if not condition:
        raise Refused(reason)


def expand(key, info, length):
    return HKDFExpand(hashes.SHA512(), length, info).derive(key)


def gcm_open(key, nonce, sealed, additional=b""):
    require(len(sealed) >= TAG, "too short for a tag")
    try:
        return AESGCM(key).decrypt(nonce, sealed, additional)
    except InvalidTag:
        raise Refused("a tag does not match") from None


# Sizes

def segment_bytes(plaintext):
    return HEAD + plaintext + TAG * (plaintext // CHUNK + 1)


def table_bytes(parts):
    return TABLE_START + TABLE_ENTRY * parts


def footer_bytes(parts):
    return segment_bytes(table_bytes(parts)) + TAIL


def stored_bytes(plaintext, parts=None):
    if parts is None:
        return segment_bytes(plaintext) + TRAILER
    return plaintext + TAG * (plaintext // CHUNK) + (HEAD + TAG) * parts + footer_bytes(parts)


# Envelope

def varint(data, at):
    value, shift, start = 0, 0, at
    while True:
        require(at < len(data) and shift < 70, "a number ends early")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            require(byte or at == start + 1, "a number in a longer form")
            require(value < 1 << 64, "a number too large")
            return value, at


def fields(data):
    """(number, value) of each field: an int or bytes."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        value, at = varint(data, at)
        if key & 7 == 2:
            require(at + value <= len(data), "a field ends early")
            value, at = data[at:at + value], at + value
        else:
            require(key & 7 == 0, "a field of an unknown type")
        yield key >> 3, value


class Envelope:
    """What the header x-amz-meta-sealgate says. Authentic only once `authenticate` passed."""

    NUMBERS = {1, 2, 4, 8}
    ALLOWED = {
        1: {8, 13, 14, 16}, 2: {9, 10, 12, 13, 14, 16}, 3: {9, 10, 12, 13, 14, 16}, 4: {9, 10, 11, 12}, 5: {13, 14, 15},
    }
    LENGTHS = {3: 16, 5: 24, 6: 32, 7: TRAILER, 13: 24, 14: 48, 15: 32, 16: 48}

    def __init__(self, header):
        require(re.fullmatch(r"[A-Za-z0-9_-]*", header), "not base64url")
        try:
            data = base64.urlsafe_b64decode(header + "=" * (-len(header) % 4))
        except ValueError:
            raise Refused("not base64url") from None
        require(base64.urlsafe_b64encode(data).decode().rstrip("=") == header, "bits left over")
        require(len(data) > 33 and data[0] == VERSION, "another version")
        self.authenticated, self.mac = data[:-32], data[-32:]

        self.fields, self.context, last = {}, [], 0
        for number, value in fields(data[1:-32]):
            require(number > last or number == last == 12, "a field repeated or out of place")
            require(isinstance(value, int) == (number in self.NUMBERS), "a field of a wrong type")
            require(number == 12 or value, "an empty field")
            require(len(value) == self.LENGTHS[number] if number in self.LENGTHS else True, "a field of a wrong length")
            if number == 12:
                self.context.append(self.pair(value))
            self.fields[number] = value
            last = number
        self.layout, self.mode = self.fields.get(1), self.fields.get(2)
        require(self.layout in (1, 2) and self.mode in MODES, "an unknown layout or mode")
        own = {1, 2, 3} | ({4, 5, 6, 7} if self.layout == 1 else set()) | self.ALLOWED[self.mode]
        present = set(self.fields)
        # Of SSE-KMS objects only re-wrapped ones have a wrapped data key.
        optional = {4, 7, 8, 12, 14, 16} | ({13} if self.mode == 2 else set())
        require(len(present & {14, 16}) == (13 in present), "not one wrapped data key")
        require(present <= own and own - optional <= present, "a field too many or too few")

    @staticmethod
    def pair(data):
        found, last = {}, 0
        for number, value in fields(data):
            require(number in (1, 2) and number > last and isinstance(value, bytes) and value, "not a pair")
            found[number], last = value.decode(), number
        return found.get(1, ""), found.get(2, "")

    def names(self, arn):
        return self.fields[3] == hashlib.sha256(b"sealgate/name@v1\0" + arn.encode()).digest()[:16]

    def unwrap(self, wrapping_key, arn):
        """The data key that a root key, bucket key or customer's key wraps."""
        require(13 in self.fields, "the data key is not wrapped: the KMS decrypts field 10")
        info = b"sealgate/wrap@v1\0" + bytes([self.mode])
        if 16 in self.fields:
            derived = expand(wrapping_key, info + self.fields[13], 44)
        else:
            derived = HKDF(hashes.SHA512(), 76, self.fields[13], info).derive(wrapping_key)
        if self.mode == 5:
            require(hmac.compare_digest(derived[44:], self.fields[15]), "not the customer's key")
        key, nonce = derived[:32], derived[32:44]
        bound = [bytes([self.mode]), arn.encode(), self.fields.get(9, b""), struct.pack(">Q", self.fields.get(8, 0))]
        additional = b"".join(struct.pack(">Q", len(field)) + field for field in bound)
        return gcm_open(key, nonce, self.fields.get(16) or self.fields[14], additional)

    def authenticate(self, data_key, arn):
        require(self.names(arn), "another object's envelope")
        mac_key = expand(data_key, b"sealgate/envelope@v1\0", 32)
        message = struct.pack(">Q", len(arn.encode())) + arn.encode() + self.authenticated
        mac = hmac.digest(mac_key, message, "sha256")
        require(hmac.compare_digest(mac, self.mac), "the envelope's MAC does not match")


# Segments

class Keys:
    def __init__(self, data, outer=None):
        self.data, self.outer = data, outer


def header(kind, number=0):
    return MAGIC + bytes([VERSION, kind, 0, 0]) + struct.pack(">I", number)


def open_segment(keys, segment, kind, number, plaintext_bytes, salt=None, commitment=None, first=0, last=None):
    """The plaintext of chunks `first` to `last` of a segment, given all its stored bytes."""
    require(len(segment) == segment_bytes(plaintext_bytes), "a segment of a wrong size")
    head = header(kind, number)
    require(segment[:16] == head, "an unknown head")
    salt_stored, commitment_stored = segment[16:40], segment[40:72]
    require(salt in (None, salt_stored) and commitment in (None, commitment_stored), "another segment's head")

    label = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0"
    context = head + struct.pack(">Q", plaintext_bytes)
    derived = expand(keys.data, label + salt_stored + context, 76)
    key, base, committed = derived[:32], int.from_bytes(derived[32:44], "big"), derived[44:]
    require(hmac.compare_digest(committed, commitment_stored), "the commitment does not match")

    chunks = segment[HEAD:]
    if keys.outer is not None:
        outer = expand(keys.outer, b"sealgate/outer@v1\0" + salt_stored, 48)
        chunks = Cipher(algorithms.AES(outer[:32]), modes.CTR(outer[32:])).decryptor().update(chunks)
    count = plaintext_bytes // CHUNK + 1
    plaintext = []
    for index in range(first, count if last is None else min(last + 1, count)):
        chunk = chunks[index * (CHUNK + TAG):(index + 1) * (CHUNK + TAG)]
        plaintext.append(gcm_open(key, (base ^ index).to_bytes(12, "big"), chunk))
    return b"".join(plaintext)


def checksum(algorithm, field):
    require(algorithm in CHECKSUMS, "an unknown checksum")
    length = CHECKSUMS[algorithm]
    require(not any(field[length:]), "bytes behind a checksum")
    return field[:length]


def open_trailer(data_key, salt, sealed, plaintext_bytes):
    derived = expand(data_key, b"sealgate/trailer@v1\0" + salt, 44)
    record = gcm_open(derived[:32], derived[32:], sealed)
    version, has_md5, algorithm, kind = record[:4]
    require(version == 1 and has_md5 in (0, 1) and kind in (0, 1, 2), "an unknown record")
    require((algorithm == 0) == (kind == 0), "half a checksum")
    require(not any(record[4:8]) and struct.unpack(">Q", record[8:16])[0] == plaintext_bytes, "another's record")
    require(has_md5 or not any(record[16:32]), "an MD5 that is none")
    md5 = record[16:32].hex() if has_md5 else None
    return {"md5": md5, "algorithm": algorithm, "kind": kind, "checksum": checksum(algorithm, record[32:]).hex()}


# Objects

def open_whole(envelope, keys, body):
    fields = envelope.fields
    plaintext_bytes = fields.get(4, 0)
    require(len(body) == stored_bytes(plaintext_bytes), "not the size of a whole object of that length")
    segment, trailer = body[:-TRAILER], body[-TRAILER:]
    plaintext = open_segment(keys, segment, WHOLE, 0, plaintext_bytes, fields[5], fields[6])
    record = open_trailer(keys.data, fields[5], trailer, plaintext_bytes)
    require(fields.get(7, trailer) == trailer, "the envelope's record is not the trailer")
    return plaintext, record


def open_table(keys, body):
    require(len(body) >= TAIL, "too short for a tail")
    tail = body[-TAIL:]
    parts, backend_parts, zero, length, padding = struct.unpack(">IIIQQ", tail[12:])
    require(tail[:12] == MAGIC + bytes([VERSION, 3, 0, 0]) and zero == 0, "an unknown tail")
    require(1 <= parts <= 10000 and backend_parts in (parts, parts + 1), "impossible numbers of parts")
    require(backend_parts <= 10000 and len(body) == stored_bytes(length, backend_parts), "a size no object has")

    start = len(body) - footer_bytes(parts)
    require(start >= padding and not any(body[start - padding:start]), "the padding is not zero")
    footer_keys = Keys(expand(keys.data, b"sealgate/footer@v1\0", 32), keys.outer)
    table = open_segment(footer_keys, body[start:-TAIL], FOOTER, 0, table_bytes(parts))
    version, algorithm, kind, zero = table[:4]
    require(version == 1 and zero == 0 and kind in (0, 1, 2) and (algorithm == 0) == (kind == 0), "an unknown table")
    require(table[4:32] == tail[12:], "the table does not repeat the tail")
    total = {"algorithm": algorithm, "kind": kind, "checksum": checksum(algorithm, table[32:64]).hex()}
    return parts, start - padding, length, total, table


def open_parts(envelope, keys, body):
    parts, end, length, total, table = open_table(keys, body)
    plaintext, at, last = [], 0, 0
    for index in range(parts):
        entry = table[TABLE_START + index * TABLE_ENTRY:][:TABLE_ENTRY]
        number, has_md5, has_checksum, zero, part_bytes = struct.unpack(">IBBHQ", entry[:16])
        require(last < number <= 10000 and zero == 0 and has_md5 in (0, 1) and has_checksum in (0, 1), "a bad entry")
        require(has_md5 or not any(entry[72:88]), "an MD5 that is none")
        require(total["algorithm"] or not has_checksum, "a checksum of no algorithm")
        checksum(total["algorithm"] if has_checksum else 0, entry[88:])
        segment = body[at:at + segment_bytes(part_bytes)]
        opened = open_segment(keys, segment, PART, number, part_bytes, entry[16:40], entry[40:72])
        if has_md5:
            require(hashlib.md5(opened).digest() == entry[72:88], "a part's MD5 is another's")
        plaintext.append(opened)
        at, last = at + len(segment), number
    plaintext = b"".join(plaintext)
    require(at == end and len(plaintext) == length, "the parts do not add up")
    return plaintext, {"md5": None, **total}


def open_object(header, arn, body, wrapping_key=None, data_key=None, outer_key=None):
    """(plaintext, record) of a stored object, or Refused."""
    envelope = Envelope(header)
    require(envelope.names(arn), "another object's envelope")
    data_key = data_key or envelope.unwrap(wrapping_key, arn)
    envelope.authenticate(data_key, arn)
    require((envelope.mode == 4) == (outer_key is not None), "DSSE-KMS, and no other mode, has an outer key")
    opener = open_whole if envelope.layout == 1 else open_parts
    return opener(envelope, Keys(data_key, outer_key), body)


# Commands

def flipped(case, body, draw):
    """The case with one bit of its envelope or its body flipped."""
    header = case["envelope"]
    if draw.random() < 0.5:
        data = bytearray(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        return base64.urlsafe_b64encode(data).decode().rstrip("="), body
    data = bytearray(body)
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return header, bytes(data)


def check(lines):
    draw, count, sizes, seen = random.Random(1), 0, 0, {}
    for line in lines:
        case = json.loads(line)
        body = base64.b64decode(case["body"])
        keys = {name: bytes.fromhex(case[name]) for name in ("wrapping_key", "data_key", "outer_key") if case.get(name)}
        plaintext, record = open_object(case["envelope"], case["arn"], body, **keys)
        name = f"object {count}: {case['mode']}, {len(plaintext)} bytes"
        require(hashlib.sha256(plaintext).hexdigest() == case["sha256"], f"{name}: another plaintext")
        for field in ("md5", "algorithm", "kind", "checksum"):
            require(record[field] == case["record"][field], f"{name}: another {field}")
        header, changed = flipped(case, body, draw)
        try:
            open_object(header, case["arn"], changed, **keys)
        except (Refused, UnicodeDecodeError):
            pass
        else:
            raise Refused(f"{name}: opened although a bit was flipped")
        count, sizes = count + 1, sizes + len(plaintext)
        seen[case["mode"]] = seen.get(case["mode"], 0) + 1
    require(count, "no cases")
    modes = ", ".join(f"{name} {number}" for name, number in sorted(seen.items()))
    print(f"opened {count} objects, {sizes} bytes ({modes}); refused each with a bit flipped")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    opening, showing = commands.add_parser("open"), commands.add_parser("show")
    commands.add_parser("check")
    for command in (opening, showing):
        command.add_argument("--envelope", required=True)
    opening.add_argument("--arn", required=True)
    for key in ("wrapping-key", "data-key", "outer-key"):
        opening.add_argument(f"--{key}", type=bytes.fromhex)
    opening.add_argument("body", type=argparse.FileType("rb"))
    given = parser.parse_args()
    try:
        if given.command == "check":
            check(sys.stdin)
        elif given.command == "show":
            envelope = Envelope(given.envelope)
            shown = {number: value.hex() if isinstance(value, bytes) else value
                     for number, value in envelope.fields.items() if number != 12}
            print(json.dumps({"mode": MODES[envelope.mode], "fields": shown, "context": envelope.context}))
        else:
            keys = {"wrapping_key": given.wrapping_key, "data_key": given.data_key, "outer_key": given.outer_key}
            plaintext, _ = open_object(given.envelope, given.arn, given.body.read(), **keys)
            sys.stdout.buffer.write(plaintext)
    except (Refused, UnicodeDecodeError) as refused:
        sys.exit(f"refused: {refused}")


if __name__ == "__main__":
    main()
