package dev.sealgate;

import com.google.gson.Gson;
import com.google.gson.JsonObject;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import javax.net.ssl.SSLContext;
import software.amazon.awssdk.services.kms.KmsClient;
import software.amazon.awssdk.services.s3.S3Client;

/** A Sealgate that runs. What it is told to do and what it counted is in its process, or its container. */
public final class Sealgate implements AutoCloseable {
    private static final Gson GSON = new Gson();
    private static final String SNAPSHOT = "sealgate-start";
    private static final long POLL_MILLISECONDS = 10;

    private final Map<String, String> line;
    private final Fixture process;
    private final Admin kms;
    private final Admin gateway;
    private final Clients clients;
    private final JsonObject quotas;
    private final String clock;
    private long kmsMark;
    private long gatewayMark;

    /** With the clock at a time of ISO 8601, after each reset too, unless it is null. */
    Sealgate(Map<String, String> line, Fixture process, String clock) {
        this.line = Map.copyOf(line);
        this.process = process;
        this.clock = clock;
        var token = line.getOrDefault("admin_token", "");
        token = token.isEmpty() ? line.getOrDefault("kms_admin_token", "") : token;
        kms = new Admin(line.get("kms_admin_endpoint"), token);
        gateway = new Admin(line.get("admin_endpoint"), token);
        clients = new Clients(this.line);
        ready();
        kms.request("POST", "/admin/snapshots", named(SNAPSHOT));
        quotas = kms.request("GET", "/admin/quotas", null).getAsJsonObject("config");
        begin();
    }

    /** Starts one on free ports that stores nothing. */
    public static Sealgate start() {
        return builder().start();
    }

    /** Starts one on free ports that stores nothing, as the builder says. */
    public static Builder builder() {
        return new Builder();
    }

    /** One that runs already, such as in a container: {@code line} has the names of the fixture line. */
    public static Sealgate attach(Map<String, String> line) {
        return new Sealgate(line, null, null);
    }

    /** How a Sealgate starts. */
    public static final class Builder extends Options<Builder> {
        Builder() {}

        @Override
        Builder self() {
            return this;
        }

        /** Starts it. */
        public Sealgate start() {
            return launch();
        }
    }

    /** The fixture line: endpoints, credentials, files. */
    public Map<String, String> line() {
        return line;
    }

    /** Ends it, if this started it. Returns its exit status, which is 0. A second call returns it again. */
    public int stop() {
        clients.close();
        return process == null ? 0 : process.stop();
    }

    /** Ends it, if this started it. */
    @Override
    public void close() {
        var status = stop();
        if (status != 0) {
            throw new SealgateException("sealgate ended with status " + status);
        }
    }

    /** The id of the process, if this started it. */
    long pid() {
        return process.pid();
    }

    /** The end of its log: so many lines. Of one that this did not start, nothing. */
    public String log(int lines) {
        return process == null ? "" : process.log(lines);
    }

    /** Puts everything back to the start: keys, buckets, objects, quotas, faults, the clock. Sets a mark, too. */
    public void reset() {
        kms.request("PUT", "/admin/faults", new JsonObject());
        kms.request("PUT", "/admin/quotas", quotas);
        kms.request("POST", "/admin/reset", new JsonObject());
        kms.request("POST", "/admin/snapshots/restore", named(SNAPSHOT));
        ready();
        begin();
    }

    private void begin() {
        if (clock != null) {
            freeze(clock);
        }
        mark();
    }

    /** The gateway makes its keys when it gets ready, which is not to be within what a test counts. */
    private void ready() {
        gateway.request("GET", "/readyz", null);
    }

    /** A client of the main user, over TLS. It ends with this. */
    public S3Client s3() {
        return clients.s3(false);
    }

    /** A client of the user of another account. It ends with this. */
    public S3Client altS3() {
        return clients.s3(true);
    }

    /** A client of the main user. It ends with this. */
    public KmsClient kms() {
        return clients.kms(false);
    }

    /** A client of the user of another account. It ends with this. */
    public KmsClient altKms() {
        return clients.kms(true);
    }

    /** Trusts the authority of this Sealgate, and nobody else: for clients of your own. */
    public SSLContext sslContext() {
        return clients.trust().sslContext();
    }

    /** Variables by which the AWS CLI and SDKs find it; Java needs {@link #systemProperties()} besides. */
    public Map<String, String> env() {
        return Map.ofEntries(
                Map.entry("AWS_ACCESS_KEY_ID", line.get("access_key_id")),
                Map.entry("AWS_SECRET_ACCESS_KEY", line.get("secret_access_key")),
                Map.entry("AWS_REGION", line.get("region")),
                Map.entry("AWS_DEFAULT_REGION", line.get("region")),
                Map.entry("AWS_ENDPOINT_URL_S3", line.get("s3_tls_endpoint")),
                Map.entry("AWS_ENDPOINT_URL_S3_CONTROL", line.get("s3_control_endpoint")),
                Map.entry("AWS_ENDPOINT_URL_GLACIER", line.get("s3_tls_endpoint")),
                Map.entry("AWS_ENDPOINT_URL_KMS", line.get("kms_endpoint")),
                Map.entry("AWS_ENDPOINT_URL_STS", line.get("kms_endpoint")),
                Map.entry("AWS_ENDPOINT_URL_CLOUDTRAIL", line.get("kms_admin_endpoint")),
                Map.entry("AWS_CA_BUNDLE", line.get("ca_file")),
                Map.entry("NODE_EXTRA_CA_CERTS", line.get("ca_file")),
                Map.entry("AWS_EC2_METADATA_DISABLED", "true"));
    }

    /** Properties by which a JVM trusts it. They replace the authorities that a JVM has. */
    public Map<String, String> systemProperties() {
        return clients.trust().systemProperties();
    }

    /** Has counts begin now. */
    public void mark() {
        kmsMark = kms.request("POST", "/admin/mark", new JsonObject()).get("mark").getAsLong();
        gatewayMark = gateway.request("POST", "/admin/mark", null).get("mark").getAsLong();
    }

    /** How often an operation of the KMS was called since the mark; see {@link #calls(Calls)}. */
    public long calls(String operation) {
        return calls(Calls.of(operation));
    }

    /** How often the KMS was called since the mark, S3's own calls and planned failures included; exact. */
    public long calls(Calls by) {
        var parameters = new LinkedHashMap<String, Object>();
        parameters.put("operation", by.operation());
        parameters.put("key", by.key());
        parameters.put("outcome", by.outcome());
        parameters.put("caller", by.caller());
        parameters.put("since", kmsMark);
        return kms.request("GET", "/admin/calls?" + Admin.query(parameters), null).get("count").getAsLong();
    }

    /** Waits until there were as many calls, and returns how many; fails with how many there were in time. */
    public long waitForCalls(long count, Calls by, Duration timeout) {
        var end = System.nanoTime() + timeout.toNanos();
        for (;;) {
            var seen = calls(by);
            if (seen >= count) {
                return seen;
            }
            if (System.nanoTime() - end > 0) {
                var operation = by.operation() == null ? "any operation" : by.operation();
                throw new SealgateException(
                        seen + " calls of " + operation + " in " + timeout.toMillis() + " ms, not " + count);
            }
            try {
                Thread.sleep(POLL_MILLISECONDS);
            } catch (InterruptedException error) {
                Thread.currentThread().interrupt();
                throw new SealgateException("waiting for calls was interrupted", error);
            }
        }
    }

    /** How many S3 requests of an operation were answered since the mark with a status; exact. Null is any. */
    public long requests(String operation, Integer status) {
        var rows = gateway.request("GET", "/admin/requests?since=" + gatewayMark, null).getAsJsonArray("requests");
        return StreamSupport.stream(rows.spliterator(), false)
                .map(row -> row.getAsJsonObject())
                .filter(row -> operation == null || operation.equals(row.get("operation").getAsString()))
                .filter(row -> status == null || status == row.get("status").getAsInt())
                .mapToLong(row -> row.get("count").getAsLong())
                .sum();
    }

    /** The latest events of the KMS, the newest first. */
    public List<Event> events(int limit) {
        var events = kms.request("GET", "/admin/events?limit=" + limit, null).get("events");
        return List.of(GSON.fromJson(events, Event[].class));
    }

    /** What a failed test should show: the last events of the KMS, and the end of the log. */
    public String report() {
        var events = events(20).stream()
                .map(event -> event.eventName() + " " + (event.errorCode() == null ? "OK" : event.errorCode()))
                .collect(Collectors.joining(", "));
        return "KMS events, newest first: " + events + "\nSealgate's log:\n" + log(40);
    }

    /** Has the next calls of an operation be answered {@code ThrottlingException}. */
    public Rule throttleNext(long count, String operation) {
        return failNext(count, operation, null, "ThrottlingException");
    }

    /** Has the next calls of the KMS fail with this exception. A null operation is any, and so is a null key. */
    public Rule failNext(long count, String operation, String key, String exception) {
        var fault = new JsonObject();
        fault.addProperty("operation", operation);
        fault.addProperty("key", key);
        fault.addProperty("times", count);
        fault.addProperty("error", exception);
        return rule("fault", fault);
    }

    /** Has calls of an operation take longer: the median, and the spread of a lognormal distribution. */
    public Rule latency(Duration median, double sigma, String operation) {
        var latency = new JsonObject();
        latency.addProperty("operation", operation);
        latency.addProperty("median_ms", median.toNanos() / 1e6);
        latency.addProperty("sigma", sigma);
        return rule("latency", latency);
    }

    private Rule rule(String kind, JsonObject rule) {
        rule.entrySet().removeIf(each -> each.getValue().isJsonNull());
        var body = new JsonObject();
        body.add(kind, rule);
        return new Rule(kms, kms.request("POST", "/admin/faults/add", body).get("id").getAsLong());
    }

    /** Sets the quota of a class, such as {@code CryptographicOperationsSymmetric}, in requests per second. */
    public void quota(String quotaClass, double rate) {
        var body = new JsonObject();
        body.addProperty("class", quotaClass);
        body.addProperty("rate", rate);
        kms.request("POST", "/admin/quotas/adjust", body);
    }

    /** Stops the clock of the KMS, and returns its time. */
    public String freeze() {
        return freeze(null);
    }

    /** Stops the clock of the KMS at a time of ISO 8601, and returns its time. */
    public String freeze(String at) {
        var body = new JsonObject();
        body.addProperty("frozen", true);
        if (at != null) {
            body.addProperty("set", at);
        }
        return move(body);
    }

    /** Moves the clock of the KMS forward, and returns its time. */
    public String advance(Duration by) {
        var body = new JsonObject();
        body.addProperty("advance_seconds", by.toNanos() / 1e9);
        return move(body);
    }

    private String move(JsonObject movement) {
        return kms.request("POST", "/admin/clock", movement).get("now").getAsString();
    }

    /** How S3 reports that an object is encrypted. */
    public Encryption encryptionOf(String bucket, String key) {
        var head = s3().headObject(request -> request.bucket(bucket).key(key));
        return new Encryption(
                head.serverSideEncryptionAsString(),
                head.ssekmsKeyId(),
                Boolean.TRUE.equals(head.bucketKeyEnabled()),
                head.sseCustomerAlgorithm());
    }

    /**
     * Fails if any object at the backend has these bytes: as they are, in hex or in base64, or in its metadata. A
     * container's backend is not reached.
     */
    public void assertBackendLacks(byte[] text) {
        BackendSearch.assertLacks(line, text);
    }

    /** As {@link #assertBackendLacks(byte[])}, with the text in UTF-8. */
    public void assertBackendLacks(String text) {
        assertBackendLacks(text.getBytes(StandardCharsets.UTF_8));
    }

    private static JsonObject named(String name) {
        var body = new JsonObject();
        body.addProperty("name", name);
        return body;
    }
}
