/*
 * Encodes messages with Apache Kafka's own classes, for test/vectors/record/messages.ts, which starts it.
 *
 * Input: a line for each message, `NAME VERSION JSON`, where JSON is what Kafka's converter for that message reads.
 * Output: a line of hex for each; then `CODE NAME RETRIABLE` for each of Kafka's error codes.
 */
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;

public class Messages {
  static final String[] PACKAGES = {
    "org.apache.kafka.common.message.",
    "org.apache.kafka.common.metadata.",
    "org.apache.kafka.coordinator.group.generated.",
  };

  /** A request, response or header class is called NameData; the others carry the message's name. */
  static Class<?> converterOf(String name) throws ClassNotFoundException {
    for (String folder : PACKAGES) {
      for (String suffix : new String[] {"", "Data"}) {
        try {
          return Class.forName(folder + name + suffix + "JsonConverter");
        } catch (ClassNotFoundException other) {
          continue;
        }
      }
    }
    throw new ClassNotFoundException(name);
  }

  static String encode(String name, short version, String json) throws Exception {
    JsonNode node = new ObjectMapper().readTree(json);
    Object read = converterOf(name).getMethod("read", JsonNode.class, short.class).invoke(null, node, version);
    Message message = (Message) read;
    ObjectSerializationCache cache = new ObjectSerializationCache();
    ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
    message.write(new ByteBufferAccessor(buffer), cache, version);
    if (buffer.hasRemaining()) throw new IllegalStateException(name + " is shorter than its size");
    StringBuilder hex = new StringBuilder();
    for (byte b : buffer.array()) hex.append(String.format("%02x", b));
    return hex.toString();
  }

  public static void main(String[] args) throws Exception {
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      String[] parts = line.split(" ", 3);
      System.out.println(encode(parts[0], Short.parseShort(parts[1]), parts[2]));
    }
    for (Errors error : Errors.values()) {
      System.out.println(error.code() + " " + error.name() + " " + (error.exception() instanceof RetriableException));
    }
  }
}
