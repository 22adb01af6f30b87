/*
 * Records what Apache Kafka says about its own broker, topic and group configs, for test/config/kafka-table.test.ts:
 * the definitions (name, type, default, what the validator prints, importance, whether internal) and the answers of
 * DescribeConfigs for the broker, for a topic created for the purpose and for a group that nobody has set anything for
 * (type, source, read-only, sensitive, names and sources of synonyms).
 *
 *   java -cp "$KAFKA_LIBS/*" test/vectors/record/Configs.java BOOTSTRAP > test/vectors/configs/kafka-4.3.1.json
 *
 * The broker should be started from Kafka's shipped config/server.properties. Neither values, which are the machine's,
 * nor documentation texts are recorded.
 */
import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.ConfigResource;

public class Configs {
  static String quote(Object value) {
    if (value == null) return "null";
    StringBuilder out = new StringBuilder("\"");
    for (char c : value.toString().toCharArray()) {
      if (c == '"' || c == '\\') out.append('\\').append(c);
      else if (c < 0x20) out.append(String.format("\\u%04x", (int) c));
      else out.append(c);
    }
    return out.append('"').toString();
  }

  static String definition(ConfigDef def) {
    List<String> rows = new ArrayList<>();
    for (ConfigDef.ConfigKey key : new TreeMap<>(def.configKeys()).values()) {
      String value = !key.hasDefault() ? "\"required\"" : quote(portable(ConfigDef.convertToString(key.defaultValue, key.type)));
      rows.add("{\"name\":" + quote(key.name) + ",\"type\":" + quote(key.type) + ",\"default\":" + value
          + ",\"hasDefault\":" + key.hasDefault() + ",\"importance\":" + quote(key.importance)
          + ",\"internal\":" + key.internalConfig + ",\"valid\":" + quote(key.validator) + "}");
    }
    return "[\n" + String.join(",\n", rows) + "\n]";
  }

  /** The temporary directory is the machine's, not Kafka's. */
  static String portable(String value) {
    return value == null ? null : value.replace(System.getProperty("java.io.tmpdir"), "TMP");
  }

  static String described(Config config) {
    TreeMap<String, String> rows = new TreeMap<>();
    for (ConfigEntry entry : config.entries()) {
      List<String> synonyms = new ArrayList<>();
      for (ConfigEntry.ConfigSynonym s : entry.synonyms())
        synonyms.add("[" + quote(s.name()) + "," + quote(s.source()) + "]");
      rows.put(entry.name(), "{\"name\":" + quote(entry.name()) + ",\"type\":" + quote(entry.type())
          + ",\"source\":" + quote(entry.source()) + ",\"readOnly\":" + entry.isReadOnly() + ",\"sensitive\":" + entry.isSensitive()
          + ",\"synonyms\":[" + String.join(",", synonyms) + "]}");
    }
    return "[\n" + String.join(",\n", rows.values()) + "\n]";
  }

  public static void main(String[] args) throws Exception {
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", args[0]))) {
      String topic = "configs-recorded";
      admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get();
      ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, "1");
      ConfigResource forTopic = new ConfigResource(ConfigResource.Type.TOPIC, topic);
      ConfigResource group = new ConfigResource(ConfigResource.Type.GROUP, "configs-recorded");
      Map<ConfigResource, Config> all = admin.describeConfigs(List.of(broker, forTopic, group),
          new DescribeConfigsOptions().includeSynonyms(true)).all().get();
      admin.deleteTopics(List.of(topic)).all().get();
      System.out.println("{\n\"kafka\":\"4.3.1\",\n\"brokerDefinitions\":"
          + definition(org.apache.kafka.server.config.AbstractKafkaConfig.CONFIG_DEF)
          + ",\n\"topicDefinitions\":" + definition(org.apache.kafka.storage.internals.log.LogConfig.configDefCopy())
          + ",\n\"groupDefinitions\":" + definition(org.apache.kafka.coordinator.group.GroupConfig.CONFIG_DEF)
          + ",\n\"describeBroker\":" + described(all.get(broker)) + ",\n\"describeTopic\":" + described(all.get(forTopic))
          + ",\n\"describeGroup\":" + described(all.get(group)) + "\n}");
    }
  }
}
