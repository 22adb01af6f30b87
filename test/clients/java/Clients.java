/*
 * The Java clients, as the tests drive them: each command does one thing and prints lines that the test compares.
 *
 *   produce BOOTSTRAP TOPIC CODEC COUNT     the default (idempotent) producer; waits for every answer; prints offsets
 *   consume BOOTSTRAP TOPIC COUNT           assign, seek to the beginning, print offset, key and value
 *   times   BOOTSTRAP TOPIC TIME            offsetsForTimes, beginningOffsets, endOffsets
 *   admin   BOOTSTRAP TOPIC                 create, describe, grow, configs, cluster, delete
 *   move    BOOTSTRAP TOPIC                 partition 0 to another directory of broker 1, and what can't be moved
 *   alter   BOOTSTRAP TOPIC GROUP           set, append, subtract and unset configs, be refused, list what has configs
 */
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionReplica;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.*;

public class Clients {
  public static void main(String[] args) throws Exception {
    switch (args[0]) {
      case "produce" -> produce(args[1], args[2], args[3], Integer.parseInt(args[4]));
      case "consume" -> consume(args[1], args[2], Integer.parseInt(args[3]));
      case "times" -> times(args[1], args[2], Long.parseLong(args[3]));
      case "admin" -> admin(args[1], args[2]);
      case "move" -> move(args[1], args[2]);
      case "alter" -> alter(args[1], args[2], args[3]);
      default -> throw new IllegalArgumentException(args[0]);
    }
  }

  static void produce(String bootstrap, String topic, String codec, int count) throws Exception {
    Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "compression.type", codec, "linger.ms", "20");
    try (Producer<String, String> producer = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
      List<Future<RecordMetadata>> sent = new ArrayList<>();
      for (int i = 0; i < count; i++)
        sent.add(producer.send(new ProducerRecord<>(topic, 0, "k" + i, codec + " " + i + " " + "z".repeat(i % 100))));
      StringBuilder line = new StringBuilder("offsets");
      for (Future<RecordMetadata> each : sent) line.append(' ').append(each.get(30, TimeUnit.SECONDS).offset());
      System.out.println(line);
    }
  }

  static Consumer<String, String> consumer(String bootstrap) {
    Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "enable.auto.commit", "false");
    return new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
  }

  static void consume(String bootstrap, String topic, int count) {
    try (Consumer<String, String> consumer = consumer(bootstrap)) {
      TopicPartition partition = new TopicPartition(topic, 0);
      consumer.assign(List.of(partition));
      consumer.seekToBeginning(List.of(partition));
      int seen = 0;
      while (seen < count) {
        ConsumerRecords<String, String> records = consumer.poll(Duration.ofSeconds(10));
        if (records.isEmpty()) throw new IllegalStateException("nothing came for 10 s after " + seen);
        for (ConsumerRecord<String, String> record : records) {
          System.out.println(record.offset() + " " + record.key() + " " + record.value());
          seen++;
        }
      }
    }
  }

  static void times(String bootstrap, String topic, long time) {
    try (Consumer<String, String> consumer = consumer(bootstrap)) {
      TopicPartition partition = new TopicPartition(topic, 0);
      OffsetAndTimestamp found = consumer.offsetsForTimes(Map.of(partition, time)).get(partition);
      System.out.println("time " + (found == null ? "none" : found.offset() + " " + found.timestamp()));
      System.out.println("begin " + consumer.beginningOffsets(List.of(partition)).get(partition));
      System.out.println("end " + consumer.endOffsets(List.of(partition)).get(partition));
    }
  }

  static void admin(String bootstrap, String topic) throws Exception {
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
      NewTopic wanted = new NewTopic(topic, 2, (short) 1).configs(Map.of("segment.bytes", "2097152"));
      CreateTopicsResult created = admin.createTopics(List.of(wanted));
      System.out.println("created " + created.numPartitions(topic).get() + " " + created.config(topic).get().get("segment.bytes").value());
      try {
        admin.createTopics(List.of(wanted)).all().get();
      } catch (ExecutionException e) {
        System.out.println("again " + e.getCause().getClass().getSimpleName());
      }
      admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all().get();
      TopicDescription described = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
      System.out.println("partitions " + described.partitions().size() + " leader " + described.partitions().get(0).leader().id());
      System.out.println("operations " + admin.describeTopics(List.of(topic), new DescribeTopicsOptions().includeAuthorizedOperations(true))
          .allTopicNames().get().get(topic).authorizedOperations().size());
      ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
      ConfigEntry entry = admin.describeConfigs(List.of(resource), new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true))
          .all().get().get(resource).get("segment.bytes");
      System.out.println("config " + entry.value() + " " + entry.source() + " " + entry.type() + " " + entry.synonyms().size()
          + " " + (entry.documentation().isEmpty() ? "undocumented" : "documented"));
      DescribeClusterResult cluster = admin.describeCluster();
      System.out.println("nodes " + cluster.nodes().get().size() + " cluster id " + cluster.clusterId().get().length());
      TopicPartition partition = new TopicPartition(topic, 0);
      System.out.println("latest " + admin.listOffsets(Map.of(partition, OffsetSpec.latest())).partitionResult(partition).get().offset());
      System.out.println("max timestamp " + admin.listOffsets(Map.of(partition, OffsetSpec.maxTimestamp())).partitionResult(partition).get().offset());
      admin.deleteTopics(List.of(topic)).all().get();
      System.out.println("deleted");
    }
  }

  static void move(String bootstrap, String topic) throws Exception {
    TopicPartition partition = new TopicPartition(topic, 0);
    TopicPartitionReplica replica = new TopicPartitionReplica(topic, 0, 1);
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
      String from = admin.describeReplicaLogDirs(List.of(replica)).values().get(replica).get().getCurrentReplicaLogDir();
      Set<String> directories = new TreeSet<>(admin.describeLogDirs(List.of(1)).allDescriptions().get().get(1).keySet());
      directories.remove(from);
      String to = directories.iterator().next();
      place(admin, "before", replica, from, to);
      admin.alterReplicaLogDirs(Map.of(replica, to)).all().get();
      for (int i = 0; i < 300; i++, Thread.sleep(100)) {
        var info = admin.describeReplicaLogDirs(List.of(replica)).values().get(replica).get();
        if (to.equals(info.getCurrentReplicaLogDir()) && info.getFutureReplicaLogDir() == null) break;
      }
      place(admin, "moved", replica, from, to);
      admin.alterReplicaLogDirs(Map.of(replica, to)).all().get();
      place(admin, "the same", replica, from, to);
      failing("nowhere", admin.alterReplicaLogDirs(Map.of(replica, "/nowhere")).all());
      TopicPartitionReplica missing = new TopicPartitionReplica(topic, 99, 1);
      failing("no partition", admin.alterReplicaLogDirs(Map.of(missing, to)).values().get(missing));
      admin.alterPartitionReassignments(Map.of(partition, Optional.of(new NewPartitionReassignment(List.of(1))))).all().get();
      System.out.println("reassigned: " + admin.listPartitionReassignments(Set.of(partition)).reassignments().get());
      failing("none", admin.alterPartitionReassignments(Map.of(partition, Optional.of(new NewPartitionReassignment(List.of(9))))).all());
      failing("taken back", admin.alterPartitionReassignments(Map.of(partition, Optional.empty())).all());
      TopicPartition unknown = new TopicPartition(topic + "-absent", 0);
      failing("no topic", admin.alterPartitionReassignments(Map.of(unknown, Optional.of(new NewPartitionReassignment(List.of(1))))).all());
    }
  }

  static void place(Admin admin, String what, TopicPartitionReplica replica, String from, String to) throws Exception {
    var info = admin.describeReplicaLogDirs(List.of(replica)).values().get(replica).get();
    String current = info.getCurrentReplicaLogDir();
    String where = from.equals(current) ? "here" : to.equals(current) ? "there" : "nowhere";
    System.out.println(what + ": " + where + ", " + (info.getFutureReplicaLogDir() == null ? "no copy" : "a copy"));
  }

  static void failing(String what, KafkaFuture<?> future) throws Exception {
    try {
      future.get();
      System.out.println(what + ": done");
    } catch (ExecutionException e) {
      System.out.println(what + ": " + e.getCause().getClass().getSimpleName());
    }
  }

  static void alter(String bootstrap, String topic, String group) throws Exception {
    ConfigResource ofTopic = new ConfigResource(ConfigResource.Type.TOPIC, topic);
    ConfigResource ofGroup = new ConfigResource(ConfigResource.Type.GROUP, group);
    ConfigResource ofAll = new ConfigResource(ConfigResource.Type.BROKER, "");
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
      admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get();
      alterOne(admin, ofTopic, "retention.ms", "86400000", AlterConfigOp.OpType.SET, false);
      alterOne(admin, ofTopic, "cleanup.policy", "compact", AlterConfigOp.OpType.APPEND, false);
      alterOne(admin, ofTopic, "cleanup.policy", "delete", AlterConfigOp.OpType.SUBTRACT, false);
      alterOne(admin, ofTopic, "retention.ms", "1", AlterConfigOp.OpType.SET, true);
      alterOne(admin, ofTopic, "retention.ms", "soon", AlterConfigOp.OpType.SET, false);
      alterOne(admin, ofTopic, "retention.ms", "", AlterConfigOp.OpType.DELETE, false);
      alterOne(admin, ofGroup, "consumer.session.timeout.ms", "50000", AlterConfigOp.OpType.SET, false);
      alterOne(admin, ofGroup, "consumer.session.timeout.ms", "1", AlterConfigOp.OpType.SET, false);
      alterOne(admin, ofAll, "log.roll.ms", "3600000", AlterConfigOp.OpType.SET, false);
      alterOne(admin, ofAll, "node.id", "7", AlterConfigOp.OpType.SET, false);
      alterOne(admin, ofAll, "log.roll.ms", "", AlterConfigOp.OpType.DELETE, false);
      List<String> listed = new ArrayList<>();
      for (ConfigResource each : admin.listConfigResources(Set.of(ConfigResource.Type.GROUP, ConfigResource.Type.TOPIC), new ListConfigResourcesOptions()).all().get())
        if (each.equals(ofTopic) || each.equals(ofGroup)) listed.add(each.type() + "");
      Collections.sort(listed);
      System.out.println("listed " + listed);
    }
  }

  /** Prints what became of the config, or which exception. */
  static void alterOne(Admin admin, ConfigResource resource, String key, String value, AlterConfigOp.OpType type, boolean check) throws Exception {
    AlterConfigOp op = new AlterConfigOp(new ConfigEntry(key, value), type);
    try {
      admin.incrementalAlterConfigs(Map.of(resource, List.of(op)), new AlterConfigsOptions().validateOnly(check)).all().get();
    } catch (ExecutionException e) {
      System.out.println(key + " " + e.getCause().getClass().getSimpleName());
      return;
    }
    ConfigEntry entry = null;
    // Apache Kafka answers before its broker has heard of the change.
    for (int i = 0; i < 3; i++, Thread.sleep(100)) entry = admin.describeConfigs(List.of(resource)).all().get().get(resource).get(key);
    System.out.println(key + " " + (entry == null ? "none" : entry.value() + " " + entry.source()));
  }
}
