package dev.sealgate;

import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** A process of {@code sealgate up --fixture}. It ends with its standard input, and so with this JVM. */
final class Fixture {
    private static final int LOG_BYTES = 1 << 16;

    private final Process process;
    private final FileChannel log;
    private final Map<String, String> line;

    private Fixture(Process process, FileChannel log, Map<String, String> line) {
        this.process = process;
        this.log = log;
        this.line = line;
    }

    static Fixture start(List<String> command) {
        try {
            var file = Files.createTempFile("sealgate-log-", null);
            var log = FileChannel.open(file);
            try {
                var process = new ProcessBuilder(command).redirectError(file.toFile()).start();
                // The open file stays until the last process that has it ends.
                Files.delete(file);
                return new Fixture(process, log, read(process, log));
            } catch (IOException | RuntimeException error) {
                Files.deleteIfExists(file);
                log.close();
                throw error;
            }
        } catch (IOException error) {
            throw new SealgateException(command.get(0) + " does not start: " + error.getMessage(), error);
        }
    }

    private static Map<String, String> read(Process process, FileChannel log) throws IOException {
        var text = process.inputReader().readLine();
        if (text == null) {
            throw new SealgateException(
                    "sealgate ended with status " + status(process) + ":\n" + end(log, 40));
        }
        var line = new HashMap<String, String>();
        JsonParser.parseString(text).getAsJsonObject().entrySet()
                .forEach(each -> line.put(each.getKey(), each.getValue().getAsString()));
        return line;
    }

    Map<String, String> line() {
        return line;
    }

    long pid() {
        return process.pid();
    }

    /** Ends it, and returns its exit status. A second call returns it again. */
    int stop() {
        try {
            process.getOutputStream().close();
            var status = status(process);
            log.close();
            return status;
        } catch (IOException error) {
            throw new SealgateException("sealgate does not end: " + error, error);
        }
    }

    private static int status(Process process) {
        try {
            if (!process.waitFor(Admin.PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
            return process.waitFor();
        } catch (InterruptedException error) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
            throw new SealgateException("the end of sealgate was interrupted", error);
        }
    }

    String log(int lines) {
        try {
            return end(log, lines);
        } catch (IOException error) {
            throw new SealgateException("the log cannot be read: " + error, error);
        }
    }

    private static String end(FileChannel log, int lines) throws IOException {
        var from = Math.max(0, log.size() - LOG_BYTES);
        var text = ByteBuffer.allocate((int) (log.size() - from));
        var read = log.read(text, from);
        var all = new String(text.array(), 0, Math.max(read, 0), StandardCharsets.UTF_8).lines().toList();
        return String.join("\n", all.subList(Math.max(0, all.size() - lines), all.size()));
    }
}
