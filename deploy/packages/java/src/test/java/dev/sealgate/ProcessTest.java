package dev.sealgate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import software.amazon.awssdk.services.kms.KmsClient;
import software.amazon.awssdk.services.s3.S3Client;

/** The behaviours of tests/fixtures/behaviours.md, of a process that the extension starts. */
class ProcessTest extends Behaviours {
    @RegisterExtension
    static final SealgateExtension EXTENSION = SealgateExtension.builder().build();

    @BeforeEach
    void running(Sealgate running) {
        use(running);
    }

    @Override
    void assertStoredLacks(String text) {
        sealgate.assertBackendLacks(text);
    }

    @Test
    void behaviour01ItStartsHasTheVersionAndEndsWithStatus0() {
        try (var own = Sealgate.start()) {
            assertTrue(own.line().get("version").matches("\\d+\\.\\d+\\.\\d+.*"), own.line()::toString);
            assertEquals(0, own.calls(Calls.any()));
            assertEquals(0, own.stop());
            assertEquals(0, own.stop());
        }
    }

    @Test
    void behaviour02TwoAtOnceShareNothing() {
        bucket();
        try (var other = Sealgate.start()) {
            assertTrue(other.s3().listBuckets().buckets().isEmpty());
            assertNotEquals(sealgate.line().get("kms_endpoint"), other.line().get("kms_endpoint"));
        }
    }

    @Test
    void behaviour03ItEndsWhenTheProcessThatStartedItIsKilled() throws Exception {
        var killed = java(List.of(), Map.of(), Killed.class);
        var pid = Long.parseLong(killed.inputReader().readLine());
        assertTrue(killed.waitFor(30, TimeUnit.SECONDS));
        assertNotEquals(0, killed.exitValue());
        var process = ProcessHandle.of(pid);
        if (process.isPresent()) {
            process.get().onExit().get(30, TimeUnit.SECONDS);
        }
    }

    /** The program of behaviour 3. */
    static final class Killed {
        public static void main(String[] none) {
            System.out.println(Sealgate.start().pid());
            System.out.flush();
            Runtime.getRuntime().halt(9);
        }
    }

    @Test
    void behaviour04AStartThatIsRefusedIsAnErrorWithItsText() {
        var seed = Sealgate.builder().seed(Path.of("/no-such-file"));
        assertTrue(assertThrows(SealgateException.class, seed::start).getMessage().contains("no-such-file"));
        var binary = Sealgate.builder().binary(Path.of("/no-binary"));
        assertTrue(assertThrows(SealgateException.class, binary::start).getMessage().contains("does not start"));
    }

    @Test
    void behaviour15KeysOfASeedFileAreThere(@TempDir Path folder) throws IOException {
        var seed = folder.resolve("keys.toml");
        Files.writeString(seed, "[[key]]\nid = \"testkey-1\"\naliases = [\"alias/seeded\"]\n");
        try (var own = Sealgate.builder().seed(seed).start()) {
            var described = own.kms().describeKey(request -> request.keyId("alias/seeded"));
            assertEquals("testkey-1", described.keyMetadata().keyId());
        }
    }

    @Test
    void behaviour16CodeThatMakesItsOwnClientsFindsIt() throws Exception {
        bucket();
        var properties = new ArrayList<String>();
        sealgate.systemProperties().forEach((name, value) -> properties.add("-D" + name + "=" + value));
        var program = java(properties, sealgate.env(), Lister.class);
        assertEquals("demo", program.inputReader().readLine());
        assertEquals(0, program.waitFor());
    }

    /** The program of behaviour 16. */
    static final class Lister {
        public static void main(String[] none) {
            try (var s3 = S3Client.create(); var kms = KmsClient.create()) {
                kms.describeKey(request -> request.keyId("alias/demo"));
                System.out.println(s3.listBuckets().buckets().get(0).name());
            }
        }
    }

    @Test
    void behaviour18AUserOfAnotherAccountMayNotRead() {
        bucket();
        put("k", "x");
        refused("AccessDenied", () -> sealgate.altS3().getObject(request -> request.bucket("demo").key("k")));
        var arn = kms.describeKey(request -> request.keyId("alias/demo")).keyMetadata().arn();
        refused("AccessDeniedException", () -> sealgate.altKms().describeKey(request -> request.keyId(arn)));
    }

    static Process java(List<String> flags, Map<String, String> environment, Class<?> program)
            throws IOException {
        var command = new ArrayList<>(List.of(ProcessHandle.current().info().command().orElse("java")));
        command.addAll(flags);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), program.getName()));
        var builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
        builder.environment().putAll(environment);
        return builder.start();
    }
}
