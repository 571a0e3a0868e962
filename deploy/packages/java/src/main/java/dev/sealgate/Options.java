package dev.sealgate;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * How a Sealgate starts.
 *
 * @param <T> the builder that has these options
 */
public abstract sealed class Options<T extends Options<T>> permits Sealgate.Builder, SealgateExtension.Builder {
    private final List<String> arguments = new ArrayList<>();
    private Path binary;
    private String clock;

    Options() {}

    abstract T self();

    /** Multiplies all quotas of the KMS. */
    public T quotaScale(double factor) {
        return args("--quota-scale", Double.toString(factor));
    }

    /** Creates the KMS keys of a file. */
    public T seed(Path file) {
        return args("--seed", file.toString());
    }

    /** Stops the clock of the KMS at a time of ISO 8601. */
    public T clock(String at) {
        clock = at;
        return self();
    }

    /** Reads a file of configuration. */
    public T config(Path file) {
        return args("--config", file.toString());
    }

    /** Adds flags for {@code sealgate up}. */
    public T args(String... more) {
        arguments.addAll(List.of(more));
        return self();
    }

    /** Names the binary; without it, it is that of {@code SEALGATE_BINARY}, of a jar of this platform, or on PATH. */
    public T binary(Path file) {
        binary = file;
        return self();
    }

    final Sealgate launch() {
        var command = new ArrayList<String>();
        command.add(binary == null ? Binary.find().toString() : binary.toString());
        command.addAll(List.of("up", "--fixture", "--ephemeral"));
        command.addAll(arguments);
        var process = Fixture.start(command);
        try {
            return new Sealgate(process.line(), process, clock);
        } catch (RuntimeException error) {
            process.stop();
            throw error;
        }
    }
}
