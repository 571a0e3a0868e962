package dev.sealgate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The examples of README.md are the tests of this folder that have their names. */
class ReadmeTest {
    @Test
    void theExamplesOfTheReadmeAreTests() throws IOException {
        var blocks = Pattern.compile("```java\n(.*?class (\\w+).*?)```", Pattern.DOTALL)
                .matcher(Files.readString(Path.of("README.md")));
        int examples = 0;
        while (blocks.find()) {
            var test = Files.readString(Path.of("src/test/java/dev/sealgate", blocks.group(2) + ".java"));
            // The image of a test run is another one.
            var example = blocks.group(1).replace("\"localhost/sealgate:latest\"", "ContainerTest.IMAGE");
            assertTrue(test.endsWith(example), () -> "README.md has another " + blocks.group(2));
            examples++;
        }
        assertEquals(2, examples);
    }
}
