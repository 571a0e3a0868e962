package dev.sealgate;

import com.github.dockerjava.api.DockerClient;
import com.github.dockerjava.api.command.InspectContainerResponse;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.testcontainers.containers.ContainerLaunchException;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.startupcheck.StartupCheckStrategy;
import org.testcontainers.containers.wait.strategy.AbstractWaitStrategy;
import org.testcontainers.utility.DockerImageName;
import org.testcontainers.utility.MountableFile;

/**
 * Sealgate in a container. Names are those of LocalStack's class, except that S3 and the KMS have an endpoint each.
 * The credentials are random for each container; none is built in. {@link #sealgate()} controls and counts.
 */
public class SealgateContainer extends GenericContainer<SealgateContainer> {
    private static final int S3 = 9070;
    private static final int S3_TLS = 9443;
    private static final int KMS = 9080;
    private static final int GATEWAY_ADMIN = 9090;
    private static final int KMS_ADMIN = 9091;
    private static final long POLL_MILLISECONDS = 50;
    private static final String FOLDER = "/var/lib/sealgate/";

    private final String accessKey = "SG" + random(9).toUpperCase(Locale.ROOT);
    private final String secretKey = random(20);
    private final String adminToken = random(16);
    private final List<String> flags = new ArrayList<>(List.of("up"));
    private final List<String> hosts = new ArrayList<>();
    private String region = "us-east-1";
    private Path authority;
    private String authorityText;
    private Sealgate sealgate;

    /** Of an image, such as {@code localhost/sealgate:latest}. */
    public SealgateContainer(String image) {
        this(DockerImageName.parse(image));
    }

    /** Of an image. */
    public SealgateContainer(DockerImageName image) {
        super(image);
        withExposedPorts(S3, S3_TLS, KMS, GATEWAY_ADMIN, KMS_ADMIN);
        withEnv("SEALGATE_ACCESS_KEY_ID", accessKey);
        withEnv("SEALGATE_SECRET_ACCESS_KEY", secretKey);
        withEnv("SEALGATE_ADMIN_TOKEN", adminToken);
        waitingFor(new Readiness());
        withStartupCheckStrategy(new Begun());
    }

    /** Multiplies all quotas of the KMS. */
    public SealgateContainer withQuotaScale(double factor) {
        return withFlags("--quota-scale", Double.toString(factor));
    }

    /** Creates the KMS keys of a file. */
    public SealgateContainer withSeed(Path file) {
        var inside = "/tmp/" + file.getFileName();
        withCopyFileToContainer(MountableFile.forHostPath(file, 0444), inside);
        return withFlags("--seed", inside);
    }

    /** Sets the Region of both services. */
    public SealgateContainer withRegion(String name) {
        region = name;
        return withFlags("--region", name);
    }

    /** Adds a name by which other containers reach this one: it is in the certificate. */
    public SealgateContainer withHost(String name) {
        hosts.add(name);
        return self();
    }

    /** Adds flags for {@code sealgate up}. */
    public SealgateContainer withFlags(String... more) {
        flags.addAll(List.of(more));
        return self();
    }

    @Override
    protected void configure() {
        setCommand(flags.toArray(String[]::new));
        var names = new LinkedHashSet<>(hosts);
        if (getNetwork() != null) {
            names.addAll(getNetworkAliases());
        }
        if (!List.of("localhost", "127.0.0.1").contains(getHost())) {
            names.add(getHost());
        }
        // With names, it answers to these and to loopback's only; without, to all.
        if (!names.isEmpty()) {
            withEnv("SEALGATE_HOSTS", String.join(",", names));
        }
    }

    @Override
    protected void containerIsStarted(InspectContainerResponse info) {
        try {
            authorityText = copyFileFromContainer(
                    FOLDER + "ca.pem", content -> new String(content.readAllBytes(), StandardCharsets.US_ASCII));
            authority = Files.createTempFile("sealgate-ca-", ".pem");
            authority.toFile().deleteOnExit();
            Files.writeString(authority, authorityText);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        sealgate = Sealgate.attach(line());
    }

    @Override
    protected void containerIsStopping(InspectContainerResponse info) {
        if (sealgate != null) {
            sealgate.close();
            sealgate = null;
        }
    }

    private Map<String, String> line() {
        var line = new LinkedHashMap<String, String>();
        line.put("s3_endpoint", getEndpoint());
        line.put("s3_tls_endpoint", getS3Endpoint());
        // Whatever the host's name is, loopback is among those of the certificate.
        line.put("s3_control_endpoint", "https://s3.localhost:" + getMappedPort(S3_TLS));
        line.put("kms_endpoint", getKmsEndpoint());
        line.put("admin_endpoint", url("http", GATEWAY_ADMIN));
        line.put("kms_admin_endpoint", url("http", KMS_ADMIN));
        line.put("admin_token", adminToken);
        line.put("region", region);
        line.put("access_key_id", accessKey);
        line.put("secret_access_key", secretKey);
        line.put("ca_file", authority.toString());
        return line;
    }

    private String url(String scheme, int port) {
        return scheme + "://" + getHost() + ":" + getMappedPort(port);
    }

    /** S3 over plain HTTP, where SSE-KMS and SSE-C are refused, as at AWS. */
    public String getEndpoint() {
        return url("http", S3);
    }

    /** S3 over TLS, by the authority of {@link #getCaCertificate()}. */
    public String getS3Endpoint() {
        return url("https", S3_TLS);
    }

    /** The KMS: AWS JSON and gRPC. */
    public String getKmsEndpoint() {
        return url("http", KMS);
    }

    /** The access key of the main user. */
    public String getAccessKey() {
        return accessKey;
    }

    /** The secret access key of the main user. */
    public String getSecretKey() {
        return secretKey;
    }

    /** The Region of both services. */
    public String getRegion() {
        return region;
    }

    /** The authority that signed the certificate of S3, in PEM. */
    public String getCaCertificate() {
        return authorityText;
    }

    /** What controls and counts, and has clients. Its backend is in the container and is not reached. */
    public Sealgate sealgate() {
        return sealgate;
    }

    private static String random(int bytes) {
        var random = new byte[bytes];
        new SecureRandom().nextBytes(random);
        return HexFormat.of().formatHex(random);
    }

    /** A container that began; one that has ended already is told with its log, by what waits for it. */
    private static final class Begun extends StartupCheckStrategy {
        @Override
        public StartupStatus checkStartupState(DockerClient client, String containerId) {
            var state = client.inspectContainerCmd(containerId).exec().getState();
            var hasBegun = Boolean.TRUE.equals(state.getRunning()) || "exited".equals(state.getStatus());
            return hasBegun ? StartupStatus.SUCCESSFUL : StartupStatus.NOT_YET_KNOWN;
        }
    }

    /** Waits until both services are ready by HTTP. A container that ended is reported at once, with its log. */
    private final class Readiness extends AbstractWaitStrategy {
        @Override
        protected void waitUntilReady() {
            var end = System.nanoTime() + startupTimeout.toNanos();
            while (!isReady(KMS_ADMIN) || !isReady(GATEWAY_ADMIN)) {
                if (!isRunning() || System.nanoTime() - end > 0) {
                    var what = isRunning() ? " is not ready after " + startupTimeout.toSeconds() + " s" : " ended";
                    throw new ContainerLaunchException("Sealgate" + what + ":\n" + getLogs());
                }
            }
        }

        private boolean isReady(int port) {
            try {
                new Admin(url("http", port), adminToken).request("GET", "/readyz", null);
                return true;
            } catch (SealgateException | IllegalStateException error) {
                pause();
                return false;
            }
        }

        private void pause() {
            try {
                Thread.sleep(POLL_MILLISECONDS);
            } catch (InterruptedException error) {
                Thread.currentThread().interrupt();
                throw new ContainerLaunchException("the start of Sealgate was interrupted", error);
            }
        }
    }
}
