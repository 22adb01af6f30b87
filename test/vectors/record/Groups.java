// Makes a running Apache Kafka write every kind of record that groups and their offsets leave in
// __consumer_offsets, and notes what the broker then says of them. Single node, no security, a fresh directory, and
// in its configuration offsets.topic.num.partitions=1 and group.initial.rebalance.delay.ms=0. Needs the jars of the
// broker on the class path:
//
//   java -cp 'KAFKA/libs/*' test/vectors/record/Groups.java HOST:PORT test/vectors/groups/state.json
//
// When the broker has stopped, LOG_DIR/__consumer_offsets-0/00000000000000000000.log is
// test/vectors/groups/offsets.log.

import java.io.*;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.file.*;
import java.time.Duration;
import java.util.*;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.message.OffsetCommitRequestData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.requests.*;
import org.apache.kafka.common.serialization.*;

public class Groups {
  static String bootstrap;

  static KafkaConsumer<byte[], byte[]> consumer(String group, String protocol, String instance, String... more) {
    Properties config = new Properties();
    config.put("bootstrap.servers", bootstrap);
    config.put("group.id", group);
    config.put("group.protocol", protocol);
    config.put("client.id", "client-of-" + group);
    config.put("enable.auto.commit", "false");
    config.put("auto.offset.reset", "earliest");
    if (instance != null) config.put("group.instance.id", instance);
    for (int i = 0; i < more.length; i += 2) config.put(more[i], more[i + 1]);
    return new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  static void until(BooleanSupplier done, KafkaConsumer<?, ?>... consumers) {
    long deadline = System.currentTimeMillis() + 30_000;
    while (!done.getAsBoolean()) {
      if (System.currentTimeMillis() > deadline) throw new IllegalStateException("nothing comes of it");
      for (KafkaConsumer<?, ?> each : consumers) each.poll(Duration.ofMillis(100));
    }
    for (int i = 0; i < 10; i++) for (KafkaConsumer<?, ?> each : consumers) each.poll(Duration.ofMillis(100));
  }

  static Map<TopicPartition, OffsetAndMetadata> offsets(String topic, int partition, long offset, String metadata) {
    return Map.of(new TopicPartition(topic, partition), new OffsetAndMetadata(offset, Optional.of(0), metadata));
  }

  /** A commit as it was before version 5, with a time to live of its own. */
  static void oldCommit(String group, String topic, int partition, long offset) throws Exception {
    short version = 4;
    OffsetCommitRequestData request = new OffsetCommitRequestData()
        .setGroupId(group)
        .setRetentionTimeMs(365L * 24 * 60 * 60 * 1000)
        .setTopics(List.of(new OffsetCommitRequestData.OffsetCommitRequestTopic()
            .setName(topic)
            .setPartitions(List.of(new OffsetCommitRequestData.OffsetCommitRequestPartition()
                .setPartitionIndex(partition)
                .setCommittedOffset(offset)
                .setCommittedMetadata("kept for a year")))));
    short headerVersion = ApiKeys.OFFSET_COMMIT.requestHeaderVersion(version);
    RequestHeader header = new RequestHeader(ApiKeys.OFFSET_COMMIT, version, "old", 1);
    ByteBuffer bytes = RequestUtils.serialize(header.data(), headerVersion, request, version);
    String[] address = bootstrap.split(":");
    try (Socket socket = new Socket(address[0], Integer.parseInt(address[1]))) {
      DataOutputStream out = new DataOutputStream(socket.getOutputStream());
      out.writeInt(bytes.remaining());
      out.write(bytes.array(), bytes.arrayOffset() + bytes.position(), bytes.remaining());
      DataInputStream in = new DataInputStream(socket.getInputStream());
      in.readNBytes(in.readInt());
    }
  }

  @SuppressWarnings("removal")
  static void transaction(KafkaProducer<byte[], byte[]> producer, String group, long offset, boolean commit) {
    producer.beginTransaction();
    producer.sendOffsetsToTransaction(offsets("first", 0, offset, ""), new ConsumerGroupMetadata(group));
    if (commit) producer.commitTransaction();
    else producer.abortTransaction();
  }

  /** A static member stays when it is closed. */
  static void classicGroup(String group, String instance) {
    try (var one = consumer(group, "classic", instance); var other = consumer(group, "classic", null)) {
      one.subscribe(List.of("first"));
      other.subscribe(List.of("first", "second"));
      until(() -> !one.assignment().isEmpty() && !other.assignment().isEmpty(), one, other);
      for (TopicPartition each : one.assignment()) one.commitSync(offsets(each.topic(), each.partition(), 5, "Grüße"));
      for (TopicPartition each : other.assignment()) other.commitSync(offsets(each.topic(), each.partition(), 6, ""));
    }
  }

  static void consumerGroup(String group, String instance) {
    try (var one = consumer(group, "consumer", instance, "client.rack", "rack");
        var other = consumer(group, "consumer", null, "group.remote.assignor", "range")) {
      one.subscribe(List.of("first", "second"));
      other.subscribe(new SubscriptionPattern("fir.*"));
      until(() -> !one.assignment().isEmpty() && !other.assignment().isEmpty(), one, other);
      for (TopicPartition each : one.assignment()) one.commitSync(offsets(each.topic(), each.partition(), 7, ""));
    }
  }

  static void upgradedGroup(String group) {
    try (var old = consumer(group, "classic", null); var young = consumer(group, "consumer", null)) {
      old.subscribe(List.of("first"));
      until(() -> old.assignment().size() == 2, old);
      old.commitSync(offsets("first", 0, 8, ""));
      young.subscribe(List.of("first"));
      until(() -> !old.assignment().isEmpty() && !young.assignment().isEmpty(), old, young);
    }
  }

  public static void main(String[] args) throws Exception {
    bootstrap = args[0];
    StringBuilder state = new StringBuilder("{\n  \"groups\": [");
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", (Object) bootstrap))) {
      admin.createTopics(List.of(
          new NewTopic("first", 2, (short) 1), new NewTopic("second", 1, (short) 1), new NewTopic("third", 1, (short) 1)))
          .all().get();

      classicGroup("classic", "instance");
      classicGroup("classic and gone", null);
      consumerGroup("consumer", "instance");
      consumerGroup("consumer and gone", null);
      upgradedGroup("upgraded");
      admin.alterConsumerGroupOffsets("simple", offsets("first", 1, Long.MAX_VALUE, "the largest")).all().get();
      admin.alterConsumerGroupOffsets("simple", offsets("second", 0, 3, "")).all().get();
      admin.alterConsumerGroupOffsets("simple", offsets("third", 0, 3, "")).all().get();
      oldCommit("old", "first", 0, 11);

      Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "transactional.id", "transactional");
      try (var producer = new KafkaProducer<byte[], byte[]>(config, new ByteArraySerializer(), new ByteArraySerializer())) {
        producer.initTransactions();
        transaction(producer, "transactional", 21, true);
        transaction(producer, "transactional", 22, false);
      }

      admin.deleteConsumerGroupOffsets("simple", Set.of(new TopicPartition("second", 0))).all().get();
      admin.deleteConsumerGroups(List.of("classic and gone", "consumer and gone")).all().get();
      admin.deleteTopics(List.of("third")).all().get();
      Thread.sleep(3000);

      String next = "\n";
      for (GroupListing group : new TreeMap<>(byId(admin.listGroups().all().get())).values()) {
        state.append(next).append("    { \"groupId\": \"").append(group.groupId());
        state.append("\", \"type\": \"").append(group.type().get().toString().toLowerCase());
        state.append("\", \"state\": \"").append(group.groupState().get());
        state.append("\", \"protocolType\": \"").append(group.protocol()).append("\", \"offsets\": {");
        String comma = " ";
        var committed = admin.listConsumerGroupOffsets(group.groupId()).partitionsToOffsetAndMetadata().get();
        for (var each : new TreeMap<>(byName(committed)).entrySet()) {
          OffsetAndMetadata offset = each.getValue();
          state.append(comma).append('"').append(each.getKey()).append("\": [\"").append(offset.offset()).append("\", ");
          state.append(offset.leaderEpoch().orElse(-1)).append(", \"").append(offset.metadata()).append("\"]");
          comma = ", ";
        }
        state.append(" } }");
        next = ",\n";
      }
    }
    Files.writeString(Path.of(args[1]), state.append("\n  ]\n}\n"));
  }

  static Map<String, GroupListing> byId(Collection<GroupListing> groups) {
    Map<String, GroupListing> byId = new HashMap<>();
    for (GroupListing each : groups) byId.put(each.groupId(), each);
    return byId;
  }

  static Map<String, OffsetAndMetadata> byName(Map<TopicPartition, OffsetAndMetadata> offsets) {
    Map<String, OffsetAndMetadata> byName = new HashMap<>();
    offsets.forEach((partition, offset) -> byName.put(partition.topic() + "/" + partition.partition(), offset));
    return byName;
  }
}
