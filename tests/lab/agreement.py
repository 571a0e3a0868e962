"""Situations in `plan` and in `load`, calls of an object, and the quota in each full second at three rates."""

import json
import subprocess
import sys

SECONDS = 12
SITUATIONS = [  # rate, quota, retry policy, clients, arrival
    (80, 100, "none", 1, "constant"),
    (150, 100, "none", 4, "constant"),
    (100, 100, "none", 1, "poisson"),
    (200, 100, "legacy-python", 10, "constant"),
    (120, 100, "legacy-java", 10, "constant"),
    (150, 100, "standard-2025", 1, "constant"),
    (150, 100, "standard", 10, "constant"),
    (400, 100, "standard", 2, "constant"),
    (150, 100, "fixed:200ms:3", 10, "constant"),
    (130, 100, "full-jitter:100ms:20s:5", 10, "constant"),
    (90, 100, "standard", 10, "poisson"),
    (600, 400, "legacy-python", 20, "poisson"),
]
OBJECTS = [  # mode, PUT a second, GET a second, requesters, buckets
    ("sse-kms", 20, 40, 1, 1),
    ("dsse", 20, 40, 2, 1),
    ("bucket-key", 40, 40, 3, 2),
    ("sse-s3", 20, 40, 1, 1),
]
QUOTA_RATES = [10, 1_000, 10_000]


def output(*arguments):
    run = subprocess.run([str(argument) for argument in arguments], capture_output=True, text=True)
    return run.returncode, run.stdout, run.stderr


def load(binary, rate, quota, *more):
    return load_of(binary, "kms", "--rate", rate, "--quota", f"CryptographicOperationsSymmetric={quota}", *more)


def load_of(binary, service, *more):
    """Results of a valid run: of three tries, because others may use the machine."""
    for _ in range(3):
        code, text, errors = output(
            binary, "load", service, "--quiet", "--json", "-", "--for", f"{SECONDS}s", *more)
        if code == 0:
            return json.loads(text)
    sys.exit(f"no valid run in three tries: status {code} {errors}")


def agreement(binary, rate, quota, retry, clients, arrival):
    shared = ["--retry", retry, "--clients", clients, "--arrival", arrival, "--seed", 7]
    code, text, errors = output(
        binary, "plan", "--json", "--put", rate, "--quota", f"CryptographicOperationsSymmetric={quota}",
        "--horizon", f"{SECONDS}s", *shared)
    if code != 0:
        sys.exit(errors)
    planned = json.loads(text)["outcome"]
    results = load(binary, rate, quota, *shared)
    within = [row for row in results["seconds"] if row["t"] < SECONDS]
    served = sum(row["served"] for row in within) / SECONDS
    throttled = results["summary"]["throttled_ratio"]
    apart = abs(served / planned["served_per_s"] - 1), abs(throttled - planned["throttled_ratio"])
    agrees = apart[0] <= 0.02 and apart[1] <= 0.03
    print(f"{'ok ' if agrees else 'NOT'} {rate}/s of {quota}, {retry}, {clients} clients, {arrival}: "
          f"served {planned['served_per_s']:.1f} planned, {served:.1f} measured; "
          f"throttled {planned['throttled_ratio']:.3f} planned, {throttled:.3f} measured", flush=True)
    return agrees


def costs(binary, mode, put, get, requesters, buckets):
    """Calls of a PUT and a GET. A Bucket Key is used for the whole run, as `plan` is told."""
    flags = ["--put", put, "--get", get, "--mode", mode, "--requesters", requesters, "--buckets", buckets]
    code, text, errors = output(binary, "plan", "--json", "--bucket-key-lifetime", f"{SECONDS}s", *flags)
    if code != 0:
        sys.exit(errors)
    planned = json.loads(text)["calls"]
    measured = [it["kms_calls_per_object"] for it in load_of(binary, "s3", *flags)["objects"]]
    agrees = all(abs(a - b) < 1e-9 for a, b in zip([planned["per_put"], planned["per_get"]], measured, strict=True))
    print(f"{'ok ' if agrees else 'NOT'} {mode}, {requesters} requesters, {buckets} buckets: "
          f"{planned['per_put']:.5f} and {planned['per_get']:.5f} calls planned, "
          f"{measured[0]:.5f} and {measured[1]:.5f} measured", flush=True)
    return agrees


def exactness(binary, quota):
    results = load(binary, quota * 1.2, quota)
    result = results["quotas"][0]
    least, most = result["served_of_quota_min"], result["served_of_quota_max"]
    exact = least is not None and least >= 0.99 and most <= 1.01
    print(f"{'ok ' if exact else 'NOT'} quota of {quota}/s: {least} to {most} of it served in a full second; "
          f"{results['generator']['late_seconds']} late seconds", flush=True)
    return exact


def main():
    binary = sys.argv[1]
    outcomes = [agreement(binary, *situation) for situation in SITUATIONS]
    outcomes += [costs(binary, *objects) for objects in OBJECTS]
    outcomes += [exactness(binary, quota) for quota in QUOTA_RATES]
    sys.exit(0 if all(outcomes) else "plan and load do not agree")


main()
