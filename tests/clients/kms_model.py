"""Walks the KMS service model that botocore carries. Run by tests/clients/run.

For every operation, with requests made from the model: each member is known and has its type, each
missing required member is refused, each constraint (length, range, pattern, enumeration) is checked, with AWS's
texts and the model's own values; each exception of the model can be returned with its HTTP status; the
contract's messages have every member, of answers too. Each call whose members have their types is made over
gRPC as well, and must have the same outcome. What the model has and the KMS does not handle is listed at the end.
"""
import base64
import collections
import hmac
import importlib
import json
import os
import pathlib
import re
import sys
import tempfile
import time
import urllib.error
import urllib.request

import botocore.auth
import botocore.awsrequest
import botocore.session
import google.rpc.error_details_pb2
import grpc
import grpc_status.rpc_status
import grpc_tools.protoc
from google.protobuf import json_format

ENDPOINT, ADMIN = os.environ["AWS_ENDPOINT_URL_KMS"], os.environ["KMS_ADMIN_ENDPOINT"]
session = botocore.session.get_session()
model = session.get_service_model("kms")
raw = session.get_component("data_loader").load_service_model("kms", "service-2")["shapes"]
signer = botocore.auth.SigV4Auth(session.get_credentials(), "kms", os.environ["AWS_DEFAULT_REGION"])
checked, wrong = collections.Counter(), []
CONTRACT = pathlib.Path(__file__).parents[2] / "proto"


def grpc_door():
    """The messages of the contract, and its methods by their names."""
    with tempfile.TemporaryDirectory() as folder:
        compiler = ["protoc", f"-I{CONTRACT}", f"--python_out={folder}", "kms/v1/kms.proto"]
        assert grpc_tools.protoc.main(compiler) == 0
        sys.path.insert(0, folder)
        messages = importlib.import_module("kms.v1.kms_pb2")
    channel = grpc.insecure_channel(ENDPOINT.removeprefix("http://"))
    service = messages.DESCRIPTOR.services_by_name["KeyManagement"]
    return messages, {method.name: channel.unary_unary(
        f"/{service.full_name}/{method.name}", lambda message: message.SerializeToString(),
        getattr(messages, method.output_type.name).FromString) for method in service.methods}


contract_messages, methods = grpc_door()


def token():
    """A bearer token for a day, made here as kms/GRPC.md describes it."""
    key = hmac.digest(b"sealgate1" + os.environ["AWS_SECRET_ACCESS_KEY"].encode(), b"kms", "sha256")
    text = f"sealgate1.{os.environ['AWS_ACCESS_KEY_ID']}.{int(time.time()) + 86_400}.*"
    return text + "." + base64.urlsafe_b64encode(hmac.digest(key, text.encode(), "sha256")).rstrip(b"=").decode()


CALLER = [("authorization", f"Bearer {token()}"), ("sealgate-region", os.environ["AWS_DEFAULT_REGION"])]


def snake(name):
    """A member's name in the contract."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def in_contract(shape, value):
    """A request by the contract's names."""
    if shape.type_name == "structure":
        return {snake(name): in_contract(shape.members[name], member) for name, member in value.items()}
    if shape.type_name == "list":
        return [in_contract(shape.member, item) for item in value]
    return value


def call_by_grpc(operation, body):
    """The outcome over gRPC: exception, message."""
    shape = model.operation_model(operation).input_shape
    message = getattr(contract_messages, f"{operation}Request")()
    json_format.ParseDict(in_contract(shape, body), message)
    try:
        methods[operation](message, metadata=CALLER, timeout=30)
    except grpc.RpcError as error:
        for detail in grpc_status.rpc_status.from_call(error).details:
            info = google.rpc.error_details_pb2.ErrorInfo()
            if detail.Unpack(info):
                return info.reason, error.details()
        return error.code().name, error.details()
    return None, ""


def call(operation, body):
    """The answer over JSON: HTTP status, exception, message. gRPC must have the same."""
    answer = call_by_json(operation, body)
    if answer[1] != "SerializationException":
        checked["call over both protocols"] += 1
        other = call_by_grpc(operation, body)
        # Texts that are too long for the headers of gRPC are cut.
        text = other[1].removesuffix("...") if len(answer[2]) > 1024 else answer[2]
        if other[0] != answer[1] or not other[1].startswith(text) or not answer[2].startswith(text):
            wrong.append(f"{operation} {str(body)[:200]}: {str(answer[1:])[:300]} by JSON, {str(other)[:300]} by gRPC")
    return answer


def call_by_json(operation, body):
    """One call over JSON."""
    headers = {"content-type": "application/x-amz-json-1.1",
               "x-amz-target": f"{model.metadata['targetPrefix']}.{operation}"}
    data = json.dumps(body).encode()
    request = botocore.awsrequest.AWSRequest("POST", ENDPOINT + "/", headers=headers, data=data)
    signer.add_auth(request)
    sent = urllib.request.Request(request.url, data, dict(request.headers), method="POST")
    try:
        with urllib.request.urlopen(sent, timeout=30) as answer:
            return answer.status, None, ""
    except urllib.error.HTTPError as error:
        told = json.loads(error.read() or b"{}")
        return error.code, told.get("__type"), told.get("message", "")


def plant(error):
    """Makes ListKeys fail with that exception, or removes that fault."""
    faults = [{"operation": "ListKeys", "error": error}] if error else []
    plan = json.dumps({"faults": faults}).encode()
    put = urllib.request.Request(ADMIN + "/admin/faults", plan,
                                 {"content-type": "application/json"}, method="PUT")
    with urllib.request.urlopen(put, timeout=30):
        pass


def expect(kind, what, answer, code, words=""):
    checked[kind] += 1
    status, seen, message = answer
    if status != 400 or seen != code or words not in message:
        wrong.append(f"{what}: {kind}: expected {code} with `{words}`, got {status} {seen}: {message[:200]}")


def valid(shape):
    """A value that fits the shape, required members only."""
    kind, limits = shape.type_name, shape.metadata
    if kind == "structure":
        return {name: valid(shape.members[name]) for name in shape.required_members}
    if kind == "list":
        return [valid(shape.member)] * max(1, limits.get("min", 0))
    if kind == "map":
        return {"a": "b"}
    if kind == "string":
        if shape.enum:
            return shape.enum[0]
        for text in ("a", "alias/a", "https://a.example", "/a/kms/xks/v1", "A" * 20, "0" * 64, "us-east-2", "vpce-svc-a"):
            text = text.ljust(limits.get("min", 0), "a")
            if matches(limits.get("pattern"), text):
                return text
        raise AssertionError(f"no text for {shape.name}: {limits}")
    if kind == "blob":
        return base64.b64encode(b"a" * max(1, limits.get("min", 0))).decode()
    return {"integer": max(1, limits.get("min", 1)), "boolean": False, "timestamp": 2e9}[kind]


def matches(pattern, text):
    return pattern is None or re.fullmatch(pattern, text) is not None


def violations(shape):
    """Values that break one constraint each, and AWS's words for it."""
    kind, limits = shape.type_name, shape.metadata
    low, high = limits.get("min"), limits.get("max")
    if kind in ("string", "blob"):
        make = (lambda n: "a" * n) if kind == "string" else (lambda n: base64.b64encode(b"a" * n).decode())
        if low and low > 1 or low == 1 and kind == "string":
            yield "length", make(low - 1), f"Member must have length greater than or equal to {low}"
        if high:
            yield "length", make(high + 1), f"Member must have length less than or equal to {high}"
    if kind == "string" and shape.enum:
        yield "enumeration", "NO_SUCH_VALUE", "Member must satisfy enum value set: ["
    if kind == "string" and limits.get("pattern"):
        texts = ((text * max(1, low or 1))[:max(1, low or 1)] for text in ("!", " ", "€", "\x00", "\n"))
        for text in texts:
            if not matches(limits["pattern"], text):
                yield "pattern", text, "Member must satisfy regular expression pattern: "
                break
    if kind == "integer":
        if low is not None:
            yield "range", low - 1, f"Member must have value greater than or equal to {low}"
        if high is not None:
            yield "range", high + 1, f"Member must have value less than or equal to {high}"
    if kind == "list":
        if high:
            yield "items", [valid(shape.member)] * (high + 1), f"Member must have length less than or equal to {high}"


def camel(name):
    return name[0].lower() + name[1:]


def walk(operation, shape, path, wrap):
    """Checks every member below `shape`; `wrap` makes a request of a value for the shape."""
    for name, member in shape.members.items():
        what = f"{operation}.{path}{name}"
        at = f"'{path}{camel(name)}"
        request = lambda value: wrap({**valid(shape), name: value})  # noqa: E731
        other = {"x": []} if member.type_name not in ("structure", "map") else 5
        expect("type", what, call(operation, request(other)), "SerializationException")
        if name in shape.required_members:
            without = valid(shape)
            without.pop(name)
            # AWS does not report which member of a structure is missing where the structure is optional.
            expect("required", what, call(operation, wrap(without)), "ValidationException",
                   f"Value null at {at}' failed to satisfy constraint: Member must not be null")
        for kind, value, words in violations(member):
            answer = call(operation, request(value))
            expect(kind, what, answer, "ValidationException", f"at {at}' failed to satisfy constraint: {words}")
            if kind == "enumeration" and answer[1] == "ValidationException":
                values = answer[2].split("enum value set: [")[-1].split("]")[0].split(", ")
                if sorted(values) != sorted(member.enum):
                    wrong.append(f"{what}: values {sorted(set(values) ^ set(member.enum))} differ")
        if member.type_name == "structure":
            walk(operation, member, f"{path}{camel(name)}.", lambda value: request(value))  # noqa: B023
        if member.type_name == "list" and member.member.type_name == "structure":
            walk(operation, member.member, f"{path}{camel(name)}.1.member.", lambda value: request([value]))  # noqa: B023
        elif member.type_name == "list":
            for kind, value, words in violations(member.member):
                expect(f"{kind} in a list", what, call(operation, request([value])), "ValidationException",
                       f"at {at}.1.member' failed to satisfy constraint: {words}")


def contract(shape, message):
    """Checks that the gRPC contract, which JSON uses too, has every member."""
    fields = messages.get(message)
    for name, member in shape.members.items():
        checked["member of the contract"] += 1
        if fields is None or snake(name) not in fields:
            wrong.append(f"{message} lacks {name}")
        inner = member.member if member.type_name == "list" else member
        if inner.type_name == "structure" and inner.name not in seen_shapes:
            seen_shapes.add(inner.name)
            contract(inner, inner.name)


text = (CONTRACT / "kms" / "v1" / "kms.proto").read_text()
messages = {name: set(re.findall(r"(\w+) = \d+\b", body))
            for name, body in re.findall(r"^message (\w+) \{(.*?)\}$", text, re.M | re.S)}
seen_shapes = set()
for operation in map(model.operation_model, model.operation_names):
    contract(operation.input_shape, f"{operation.name}Request")
    if operation.output_shape:
        contract(operation.output_shape, f"{operation.name}Response")

for operation in model.operation_names:
    shape = model.operation_model(operation).input_shape
    checked["operation"] += 1
    if call(operation, [])[1] != "SerializationException":
        wrong.append(f"{operation} is not known")
    walk(operation, shape, "", lambda value: value)

for shape in (model.shape_for(name) for name in model.shape_names):
    if shape.metadata.get("exception"):
        plant(shape.name)
        code = shape.metadata.get("error", {}).get("code", shape.name)
        status, seen, _ = call("ListKeys", {})
        plant(None)
        checked["exception"] += 1
        fault = 500 if raw[shape.name].get("fault") else 400
        if (status, seen) != (fault, code) and (status, seen) != (fault, shape.name):
            wrong.append(f"{shape.name}: expected {fault} {code}, got {status} {seen}")

print(", ".join(f"{count} of kind {kind}" for kind, count in checked.items()))
if wrong:
    sys.exit("\n".join([*wrong, f"{len(wrong)} of {checked.total()} checks failed"]))
