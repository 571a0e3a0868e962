package dev.sealgate;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.regex.Pattern;

/** Where the binary is: {@code SEALGATE_BINARY}, else a jar of this platform, else the first on PATH. */
final class Binary {
    private static Path unpacked;

    private Binary() {}

    static synchronized Path find() {
        var named = System.getenv("SEALGATE_BINARY");
        if (named != null && !named.isEmpty()) {
            return Path.of(named);
        }
        if (unpacked == null) {
            unpacked = unpack();
        }
        return unpacked != null ? unpacked : onPath();
    }

    /** The classifier of the jar of this platform, such as {@code linux-x86_64}. */
    static String platform() {
        var system = System.getProperty("os.name").toLowerCase(Locale.ROOT).split(" ")[0];
        var machine = System.getProperty("os.arch");
        return system + "-" + (machine.equals("amd64") ? "x86_64" : machine.equals("arm64") ? "aarch64" : machine);
    }

    /** The binary of the jar of this platform as a file that ends with this JVM; null if there is no such jar. */
    private static Path unpack() {
        try (var content = Binary.class.getResourceAsStream("/dev/sealgate/binary/" + platform() + "/sealgate")) {
            if (content == null) {
                return null;
            }
            var folder = Files.createTempDirectory("sealgate-");
            var file = folder.resolve("sealgate");
            folder.toFile().deleteOnExit();
            file.toFile().deleteOnExit();
            Files.copy(content, file);
            if (!file.toFile().setExecutable(true)) {
                throw new SealgateException(file + " cannot be made executable");
            }
            return file;
        } catch (IOException error) {
            throw new SealgateException("the binary of the jar cannot be unpacked: " + error, error);
        }
    }

    private static Path onPath() {
        for (var folder : System.getenv().getOrDefault("PATH", "").split(Pattern.quote(File.pathSeparator))) {
            var file = Path.of(folder).resolve("sealgate");
            if (Files.isRegularFile(file) && Files.isExecutable(file)) {
                return file;
            }
        }
        throw new SealgateException("there is no jar sealgate-junit with the classifier " + platform()
                + ", and neither SEALGATE_BINARY nor PATH has a sealgate");
    }
}
