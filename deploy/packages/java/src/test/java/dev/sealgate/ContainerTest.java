package dev.sealgate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.testcontainers.containers.ContainerLaunchException;

/**
 * The behaviours of tests/fixtures/behaviours.md, of a container. Not 3: it is ended by Testcontainers' own process
 * for that. Not 18: the user of another account is made in the container and not known outside.
 */
@Tag("container")
class ContainerTest extends Behaviours {
    static final String IMAGE = System.getenv().getOrDefault("SEALGATE_IMAGE", "localhost/sealgate:latest");
    private static SealgateContainer container;

    @BeforeAll
    static void start() {
        container = new SealgateContainer(IMAGE);
        container.start();
    }

    @AfterAll
    static void stop() {
        container.stop();
    }

    @BeforeEach
    void reset() {
        container.sealgate().reset();
        use(container.sealgate());
    }

    @Override
    void assertStoredLacks(String text) throws IOException {
        var folder = container.getDockerClient().copyArchiveFromContainerCmd(
                container.getContainerId(), "/var/lib/sealgate/store");
        try (var archive = folder.exec()) {
            var stored = BackendSearch.text(archive.readAllBytes());
            for (var needle : BackendSearch.needles(text.getBytes(StandardCharsets.UTF_8))) {
                if (stored.contains(needle)) {
                    throw new AssertionError("the backend has it");
                }
            }
        }
    }

    @Test
    void behaviour01And02ItStartsSharesNothingAndEndsWithStatus0() {
        bucket();
        try (var other = new SealgateContainer(IMAGE).withRegion("eu-central-1")) {
            other.start();
            assertTrue(other.sealgate().s3().listBuckets().buckets().isEmpty());
            assertNotEquals(container.getAccessKey(), other.getAccessKey());
            assertNotEquals(container.getSecretKey(), other.getSecretKey());
            assertNotEquals(container.getKmsEndpoint(), other.getKmsEndpoint());
            assertEquals("eu-central-1", other.getRegion());
            var id = other.getContainerId();
            other.getDockerClient().stopContainerCmd(id).exec();
            var state = other.getDockerClient().inspectContainerCmd(id).exec().getState();
            assertEquals(0, state.getExitCodeLong());
        }
    }

    @Test
    void behaviour04AStartThatIsRefusedIsAnErrorWithItsText() {
        try (var refused = new SealgateContainer(IMAGE).withFlags("--seed", "/no-such-file")) {
            Throwable cause = assertThrows(ContainerLaunchException.class, refused::start);
            while (cause.getCause() != null) {
                cause = cause.getCause();
            }
            var text = cause.getMessage();
            assertTrue(text.startsWith("Sealgate ended:") && text.contains("no-such-file"), text);
        }
    }

    @Test
    void behaviour15KeysOfASeedFileAreThereAndQuotasAreScaled(@TempDir Path folder) throws IOException {
        var seed = folder.resolve("keys.toml");
        Files.writeString(seed, "[[key]]\nid = \"testkey-1\"\naliases = [\"alias/seeded\"]\n");
        try (var own = new SealgateContainer(IMAGE).withSeed(seed).withQuotaScale(0.001)) {
            own.start();
            var described = own.sealgate().kms().describeKey(request -> request.keyId("alias/seeded"));
            assertEquals("testkey-1", described.keyMetadata().keyId());
            // A thousandth of 100,000 in the second at which the clock stands still.
            own.sealgate().freeze();
            use(own.sealgate());
            refused("ThrottlingException", () -> {
                for (int call = 0; call < 101; call++) {
                    random();
                }
            });
        }
    }

    @Test
    void behaviour16CodeThatMakesItsOwnClientsFindsIt() throws Exception {
        bucket();
        var properties = new ArrayList<String>();
        sealgate.systemProperties().forEach((name, value) -> properties.add("-D" + name + "=" + value));
        var program = ProcessTest.java(properties, sealgate.env(), ProcessTest.Lister.class);
        assertEquals("demo", program.inputReader().readLine());
        assertEquals(0, program.waitFor());
    }
}
