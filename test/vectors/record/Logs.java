/*
 * Fills a Kafka broker for logs.mjs: java Logs.java BOOTSTRAP fill | more
 *
 *   mixed      every codec, idempotent, with headers, null keys and values, over several segments
 *   txn        transactions that commit, abort and stay open, over several segments
 *   compacted  the same keys again and again, and tombstones; waits until the cleaner has been there
 *   trimmed    its first records deleted
 */
import java.util.*;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.serialization.*;

public class Logs {
  static final Random random = new Random(7);
  static String bootstrap;

  public static void main(String[] args) throws Exception {
    bootstrap = args[0];
    if (args[1].equals("more")) {
      mixed(3, 40);
      return;
    }
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
      Map<String, String> small = Map.of("internal.segment.bytes", "16384", "index.interval.bytes", "700");
      Map<String, String> compacted = new HashMap<>(small);
      compacted.putAll(Map.of("cleanup.policy", "compact", "min.cleanable.dirty.ratio", "0.01", "delete.retention.ms", "600000"));
      admin.createTopics(List.of(
          new NewTopic("mixed", 1, (short) 1).configs(small), new NewTopic("txn", 1, (short) 1).configs(small),
          new NewTopic("trimmed", 1, (short) 1).configs(small), new NewTopic("compacted", 1, (short) 1).configs(compacted))).all().get();
    }
    mixed(12, 8);
    transactions();
    trimmed();
    compacted();
  }

  static Producer<String, String> producer(Map<String, Object> more) {
    Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "linger.ms", "5"));
    config.putAll(more);
    return new KafkaProducer<>(config, new StringSerializer(), new StringSerializer());
  }

  static String noise(int length) {
    StringBuilder text = new StringBuilder();
    while (text.length() < length) text.append(Long.toString(random.nextLong() >>> 1, 36));
    return text.substring(0, length);
  }

  static void mixed(int rounds, int each) throws Exception {
    for (int round = 0; round < rounds; round++) {
      for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
        try (Producer<String, String> producer = producer(Map.of("compression.type", codec))) {
          for (int i = 0; i < each; i++) {
            String key = i % 3 == 0 ? null : "k" + i, value = i % 7 == 6 ? null : noise(40 + random.nextInt(60));
            ProducerRecord<String, String> record = new ProducerRecord<>("mixed", 0, key, value);
            if (i % 4 == 0) record.headers().add("h", new byte[] {1, 2, 3});
            producer.send(record);
          }
        }
      }
    }
  }

  static void transactions() throws Exception {
    Map<String, Object> settings = Map.of("transactional.id", "t1", "transaction.timeout.ms", "900000");
    Producer<String, String> first = producer(settings);
    Producer<String, String> second = producer(Map.of("transactional.id", "t2", "transaction.timeout.ms", "900000"));
    first.initTransactions();
    second.initTransactions();
    for (int round = 0; round < 30; round++) {
      first.beginTransaction();
      second.beginTransaction();
      for (int i = 0; i < 4; i++) {
        first.send(new ProducerRecord<>("txn", 0, "a" + i, noise(300))).get();
        second.send(new ProducerRecord<>("txn", 0, "b" + i, noise(300)));
      }
      second.flush();
      if (round % 3 == 0) first.abortTransaction(); else first.commitTransaction();
      if (round % 5 == 0) second.abortTransaction(); else second.commitTransaction();
    }
    // Stays open: its broker stops with it.
    first.beginTransaction();
    first.send(new ProducerRecord<>("txn", 0, "open", "open")).get();
    second.close();
  }

  static void trimmed() throws Exception {
    try (Producer<String, String> producer = producer(Map.of()); Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
      for (int i = 0; i < 200; i++) producer.send(new ProducerRecord<>("trimmed", 0, "k", noise(300))).get();
      TopicPartition partition = new TopicPartition("trimmed", 0);
      admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(100))).all().get();
    }
  }

  static void compacted() throws Exception {
    try (Producer<String, String> producer = producer(Map.of("compression.type", "lz4"))) {
      for (int i = 0; i < 600; i++) {
        String value = i % 50 == 49 ? null : noise(120);
        producer.send(new ProducerRecord<>("compacted", 0, "k" + i % 37, value));
        if (i % 5 == 4) producer.flush();
      }
    }
    Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "group.id", "readers", "auto.offset.reset", "earliest");
    try (Consumer<String, String> consumer = new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer())) {
      consumer.subscribe(List.of("mixed"));
      for (int polled = 0; polled < 100;) polled += consumer.poll(java.time.Duration.ofSeconds(1)).count();
      consumer.commitSync();
    }
  }
}
