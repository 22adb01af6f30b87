/*
 * Clients that live while the broker behind one address changes. Commands and answers as in Jvm.java; state stays.
 *
 *   setup BOOTSTRAP                    topics of every sort, records, configs, transactions that ended, groups, quotas
 *   topic BOOTSTRAP NAME PARTITIONS    creates it
 *   open BOOTSTRAP ID TOPIC MS         a transaction of that id with three records in TOPIC and an offset, left open
 *   load BOOTSTRAP TOPIC PARTITIONS N  an idempotent producer in a thread, N requests in flight at most
 *   members BOOTSTRAP TOPIC            a consumer of each group protocol in a thread; each commits what it has read
 *   acknowledged                       how many records of the load are
 *   settle BOOTSTRAP                   ends load and members; prints what they saw and what was wrong with it
 *   compacted BOOTSTRAP TOPIC          creates a topic that is compacted in small segments, at once
 *   keyed BOOTSTRAP TOPIC FROM TO      one idempotent producer for all calls: record i has key i % 20, every seventh no value
 *   transact BOOTSTRAP TOPIC FROM TO HOW  the same in a transaction that ends with commit or abort
 *   newest BOOTSTRAP TOPIC             each key that has a value, its offset and value, read committed; then the log's bounds
 *   share BOOTSTRAP TOPIC COUNT        a share consumer acknowledges that many records; prints their values
 *   cluster BOOTSTRAP                  topics, configs, offsets and records of everything, a line each
 *   records BOOTSTRAP TOPICS           the records of some topics, as cluster tells of them
 *   unserved BOOTSTRAP                 what only Apache Kafka answers: quotas, credentials, ACLs, features, transactions
 */
import java.io.*;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.acl.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.quota.*;
import org.apache.kafka.common.resource.*;
import org.apache.kafka.common.serialization.*;

public class Moves {
  public static void main(String[] none) throws Exception {
    PrintStream answers = System.out;
    BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = commands.readLine(); line != null; line = commands.readLine()) {
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      ByteArrayOutputStream err = new ByteArrayOutputStream();
      System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
      int code = 0;
      try {
        run(line.split("\t", -1));
      } catch (Throwable failure) {
        code = 1;
        failure.printStackTrace(new PrintStream(err, true, StandardCharsets.UTF_8));
      }
      System.out.flush();
      answers.write(out.toByteArray());
      answers.write(3);
      answers.write(err.toByteArray());
      answers.write(4);
      answers.println(code);
      answers.flush();
    }
    Runtime.getRuntime().halt(0);
  }

  static void run(String[] words) throws Exception {
    switch (words[0]) {
      case "setup" -> setup(words[1]);
      case "topic" -> {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", words[1]))) {
          admin.createTopics(List.of(new NewTopic(words[2], Integer.parseInt(words[3]), (short) 1))).all().get();
        }
      }
      case "open" -> open(words[1], words[2], words[3], words[4]);
      case "load" -> load = new Load(words[1], words[2], Integer.parseInt(words[3]), words[4]);
      case "members" -> {
        for (String protocol : List.of("classic", "consumer")) members.add(new Member(words[1], words[2], protocol));
      }
      case "acknowledged" -> System.out.println(load.acknowledged.size());
      case "settle" -> settle(words[1]);
      case "compacted" -> compacted(words[1], words[2]);
      case "keyed" -> keyed(words[1], words[2], Integer.parseInt(words[3]), Integer.parseInt(words[4]));
      case "transact" -> transact(words[1], words[2], Integer.parseInt(words[3]), Integer.parseInt(words[4]), words[5]);
      case "newest" -> newest(words[1], words[2]);
      case "share" -> share(words[1], words[2], Integer.parseInt(words[3]));
      case "records" -> {
        List<String> lines = new ArrayList<>();
        for (String isolation : List.of("read_uncommitted", "read_committed")) digest(words[1], isolation, List.of(words[2].split(",")), lines);
        lines.forEach(System.out::println);
      }
      case "cluster" -> cluster(words[1]);
      case "unserved" -> unserved(words[1]);
      default -> throw new IllegalArgumentException(words[0]);
    }
  }

  // ---- what a cluster may hold

  static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");

  @SuppressWarnings("removal")
  static void setup(String bootstrap) throws Exception {
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
      List<NewTopic> topics = new ArrayList<>();
      for (String codec : CODECS) topics.add(new NewTopic("codec-" + codec, 1, (short) 1).configs(Map.of("segment.bytes", "1048576")));
      topics.add(new NewTopic("many", 12, (short) 1).configs(Map.of("retention.ms", "-1")));
      topics.add(new NewTopic("compacted", 2, (short) 1).configs(Map.of("cleanup.policy", "compact")));
      topics.add(new NewTopic("transactions", 2, (short) 1));
      for (String each : List.of("held", "expiring", "shared", "deleted")) topics.add(new NewTopic(each, 1, (short) 1));
      topics.add(new NewTopic("load", 3, (short) 1));
      admin.createTopics(topics).all().get();

      Map<ConfigResource, Collection<AlterConfigOp>> altered = new HashMap<>();
      set(altered, ConfigResource.Type.TOPIC, "many", "max.message.bytes", "2000000");
      set(altered, ConfigResource.Type.BROKER, "", "log.cleaner.threads", "2");
      set(altered, ConfigResource.Type.BROKER, "1", "message.max.bytes", "3000000");
      set(altered, ConfigResource.Type.GROUP, "consumer-group", "consumer.session.timeout.ms", "46000");
      set(altered, ConfigResource.Type.GROUP, "share-group", "share.auto.offset.reset", "earliest");
      set(altered, ConfigResource.Type.CLIENT_METRICS, "metrics", "interval.ms", "60000");
      admin.incrementalAlterConfigs(altered).all().get();

      ClientQuotaEntity user = new ClientQuotaEntity(new HashMap<>(Map.of("user", "alice", "client-id", "c")));
      ClientQuotaEntity everyone = new ClientQuotaEntity(new HashMap<>(Collections.singletonMap("user", null)));
      admin.alterClientQuotas(List.of(
          new ClientQuotaAlteration(user, List.of(new ClientQuotaAlteration.Op("producer_byte_rate", 1e9))),
          new ClientQuotaAlteration(everyone, List.of(new ClientQuotaAlteration.Op("consumer_byte_rate", 2.5e9))))).all().get();
      admin.alterUserScramCredentials(List.of(new UserScramCredentialUpsertion("alice",
          new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096), "secret".getBytes(), "salt".getBytes()))).all().get();
      admin.createAcls(List.of(new AclBinding(new ResourcePattern(ResourceType.TOPIC, "many", PatternType.LITERAL),
          new AccessControlEntry("User:alice", "*", AclOperation.READ, AclPermissionType.ALLOW)))).all().get();
      admin.deleteTopics(List.of("deleted")).all().get();
    }
    for (String codec : CODECS) {
      try (Producer<String, String> producer = producer(bootstrap, Map.of("compression.type", codec))) {
        for (int i = 0; i < 3000; i++) {
          ProducerRecord<String, String> record = new ProducerRecord<>("codec-" + codec, 0, 1_700_000_000_000L + i, "k" + i, "v" + i + "x".repeat(i % 1000));
          record.headers().add("h", new byte[] {(byte) i});
          producer.send(record);
        }
      }
    }
    try (Producer<String, String> producer = producer(bootstrap, Map.of())) {
      for (int i = 0; i < 600; i++) producer.send(new ProducerRecord<>("many", i % 12, "k" + i, "v" + i));
      for (int i = 0; i < 400; i++) producer.send(new ProducerRecord<>("compacted", i % 2, "k" + i % 50, i % 7 == 0 ? null : "v" + i));
      for (int i = 0; i < 20; i++) producer.send(new ProducerRecord<>("shared", 0, null, "s" + i));
    }
    try (Producer<String, String> producer = producer(bootstrap, Map.of("transactional.id", "ended"))) {
      producer.initTransactions();
      for (int round = 0; round < 4; round++) {
        producer.beginTransaction();
        for (int i = 0; i < 10; i++) producer.send(new ProducerRecord<>("transactions", i % 2, "k" + i, round + " " + i));
        if (round % 2 == 0) {
          producer.sendOffsetsToTransaction(Map.of(new TopicPartition("many", 0), new OffsetAndMetadata(round, "by transaction")),
              new ConsumerGroupMetadata("transactional-group"));
          producer.commitTransaction();
        } else producer.abortTransaction();
      }
    }
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
      admin.alterConsumerGroupOffsets("idle-group", Map.of(
          new TopicPartition("many", 1), new OffsetAndMetadata(7, "seven"),
          new TopicPartition("codec-gzip", 0), new OffsetAndMetadata(99))).all().get();
      admin.deleteRecords(Map.of(new TopicPartition("codec-none", 0), RecordsToDelete.beforeOffset(123))).all().get();
    }
  }

  static void set(Map<ConfigResource, Collection<AlterConfigOp>> into, ConfigResource.Type type, String name, String key, String value) {
    into.put(new ConfigResource(type, name), List.of(new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.SET)));
  }

  static Producer<String, String> producer(String bootstrap, Map<String, Object> more) {
    Map<String, Object> config = new HashMap<>(more);
    config.put("bootstrap.servers", bootstrap);
    return new KafkaProducer<>(config, new StringSerializer(), new StringSerializer());
  }

  /** Never closed: a close would abort. */
  static final List<Producer<String, String>> opened = new ArrayList<>();

  @SuppressWarnings("removal")
  static void open(String bootstrap, String id, String topic, String timeoutMs) throws Exception {
    Producer<String, String> producer = producer(bootstrap, Map.of("transactional.id", id, "transaction.timeout.ms", timeoutMs));
    opened.add(producer);
    try (Producer<String, String> other = producer(bootstrap, Map.of())) {
      other.send(new ProducerRecord<>(topic, 0, null, "before")).get();
      producer.initTransactions();
      producer.beginTransaction();
      for (int i = 0; i < 3; i++) producer.send(new ProducerRecord<>(topic, 0, null, id + i)).get();
      producer.sendOffsetsToTransaction(Map.of(new TopicPartition("many", 0), new OffsetAndMetadata(77)), new ConsumerGroupMetadata("pending-group"));
      other.send(new ProducerRecord<>(topic, 0, null, "behind")).get();
    }
  }

  // ---- what is compacted

  static void compacted(String bootstrap, String topic) throws Exception {
    Map<String, String> configs = Map.of("cleanup.policy", "compact", "internal.segment.bytes", "20000", "min.cleanable.dirty.ratio", "0.01",
        "delete.retention.ms", "1", "segment.ms", "1000");
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
      admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1).configs(configs))).all().get();
    }
  }

  static Producer<String, String> lasting;

  static void keyed(String bootstrap, String topic, int from, int to) throws Exception {
    if (lasting == null) lasting = producer(bootstrap, Map.of("request.timeout.ms", "5000", "reconnect.backoff.max.ms", "200"));
    sendKeyed(lasting, topic, from, to);
  }

  static void transact(String bootstrap, String topic, int from, int to, String how) throws Exception {
    try (Producer<String, String> producer = producer(bootstrap, Map.of("transactional.id", "keyed"))) {
      producer.initTransactions();
      producer.beginTransaction();
      sendKeyed(producer, topic, from, to);
      if (how.equals("commit")) producer.commitTransaction();
      else producer.abortTransaction();
    }
  }

  static void sendKeyed(Producer<String, String> producer, String topic, int from, int to) throws Exception {
    List<Future<RecordMetadata>> sent = new ArrayList<>();
    for (int i = from; i < to; i++)
      sent.add(producer.send(new ProducerRecord<>(topic, 0, "k" + i % 20, i % 7 == 0 ? null : i + " " + "x".repeat(200))));
    for (Future<RecordMetadata> each : sent) each.get(60, TimeUnit.SECONDS);
  }

  static void newest(String bootstrap, String topic) {
    Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "isolation.level", "read_committed", "enable.auto.commit", "false");
    try (Consumer<String, String> consumer = new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer())) {
      TopicPartition at = new TopicPartition(topic, 0);
      consumer.assign(List.of(at));
      consumer.seekToBeginning(List.of(at));
      long end = consumer.endOffsets(List.of(at)).get(at);
      Map<String, String> newest = new TreeMap<>();
      int count = 0;
      for (long until = System.currentTimeMillis() + 30_000; consumer.position(at) < end && System.currentTimeMillis() < until; ) {
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) {
          count++;
          if (record.value() == null) newest.remove(record.key());
          else newest.put(record.key(), record.offset() + " " + record.value().split(" ")[0]);
        }
      }
      newest.forEach((key, value) -> System.out.println("newest " + key + " " + value));
      System.out.println("bounds " + consumer.beginningOffsets(List.of(at)).get(at) + " " + end + " read to " + consumer.position(at));
      System.out.println("count " + count);
    }
  }

  // ---- load

  static Load load;
  static final List<Member> members = new ArrayList<>();

  /** Sends 0, 1, 2, ... in turn to the partitions, some hundreds in flight. */
  static final class Load {
    final String topic;
    final int partitions;
    final Producer<String, String> producer;
    /** Value to `partition:offset`. */
    final Map<Integer, String> acknowledged = new ConcurrentHashMap<>();
    final Queue<String> failures = new ConcurrentLinkedQueue<>();
    final Semaphore flying = new Semaphore(500);
    volatile boolean ending;
    volatile int sent;
    final Thread thread;

    Load(String bootstrap, String topic, int partitions, String inFlight) {
      this.topic = topic;
      this.partitions = partitions;
      producer = producer(bootstrap, Map.of("acks", "all", "delivery.timeout.ms", "180000", "request.timeout.ms", "5000",
          "linger.ms", "2", "max.in.flight.requests.per.connection", inFlight, "reconnect.backoff.max.ms", "200", "retry.backoff.max.ms", "200", "max.block.ms", "120000"));
      thread = new Thread(this::send);
      thread.setDaemon(true);
      thread.start();
    }

    void send() {
      try {
        while (!ending) {
          flying.acquire();
          int value = sent++;
          producer.send(new ProducerRecord<>(topic, value % partitions, null, value + " " + "y".repeat(value % 200)), (at, failure) -> {
            flying.release();
            if (failure != null) failures.add(value + ": " + failure);
            else acknowledged.put(value, at.partition() + ":" + at.offset());
          });
          if (value % 20 == 0) Thread.sleep(5);
        }
        producer.close(Duration.ofSeconds(60));
      } catch (Throwable failure) {
        failures.add("the load ended: " + failure);
      }
    }
  }

  /** Reads the load; what it committed never goes back. */
  static final class Member implements ConsumerRebalanceListener {
    final KafkaConsumer<String, String> consumer;
    final String group;
    final Map<TopicPartition, Long> committed = new ConcurrentHashMap<>();
    final Set<Integer> values = ConcurrentHashMap.newKeySet();
    final Queue<String> failures = new ConcurrentLinkedQueue<>();
    final AtomicInteger commits = new AtomicInteger();
    volatile boolean ending;
    final Thread thread;

    Member(String bootstrap, String topic, String protocol) {
      group = protocol + "-group";
      Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "group.id", group, "group.protocol", protocol,
          "enable.auto.commit", "false", "auto.offset.reset", "earliest", "reconnect.backoff.max.ms", "200", "request.timeout.ms", "5000",
          "default.api.timeout.ms", "5000"));
      consumer = new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
      consumer.subscribe(List.of(topic), this);
      thread = new Thread(this::poll);
      thread.setDaemon(true);
      thread.start();
    }

    void poll() {
      while (!ending) {
        try {
          ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(500));
          for (ConsumerRecord<String, String> record : records) values.add(Integer.parseInt(record.value().split(" ")[0]));
          if (records.isEmpty()) continue;
          Map<TopicPartition, OffsetAndMetadata> next = records.nextOffsets();
          consumer.commitSync(next);
          commits.incrementAndGet();
          next.forEach((at, offset) -> committed.put(at, offset.offset()));
        } catch (CommitFailedException | RetriableCommitFailedException | org.apache.kafka.common.errors.TimeoutException again) {
          // The broker is away, or the group was asked to join again.
        } catch (Throwable failure) {
          failures.add(group + ": " + failure);
          break;
        }
      }
      consumer.close(CloseOptions.timeout(Duration.ofSeconds(5)));
    }

    @Override public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
      for (TopicPartition at : partitions) {
        Long known = committed.get(at);
        if (known != null && consumer.position(at, Duration.ofSeconds(20)) < known)
          failures.add(group + " went back in " + at + " from " + known + " to " + consumer.position(at));
      }
    }

    @Override public void onPartitionsRevoked(Collection<TopicPartition> partitions) {}
  }

  static void settle(String bootstrap) throws Exception {
    load.ending = true;
    load.thread.join(90_000);
    System.out.println("sent " + load.sent);
    System.out.println("acknowledged " + load.acknowledged.size());
    load.failures.stream().limit(5).forEach(each -> System.out.println("failure " + each));
    long until = System.currentTimeMillis() + 30_000;
    for (Member member : members) {
      while (member.values.size() < load.sent && member.failures.isEmpty() && System.currentTimeMillis() < until) Thread.sleep(50);
      member.ending = true;
      member.thread.join(20_000);
      System.out.println(member.group + " saw " + member.values.size());
      member.failures.stream().limit(5).forEach(each -> System.out.println("failure " + each));
    }
    // Every acknowledged record is there once, where its acknowledgement said, in the order of sending.
    Map<Integer, Integer> last = new HashMap<>();
    Map<Integer, String> found = new HashMap<>();
    read(bootstrap, "read_uncommitted", List.of(load.topic), record -> {
      int value = Integer.parseInt(record.value().split(" ")[0]);
      if (found.put(value, record.partition() + ":" + record.offset()) != null) System.out.println("failure twice: " + value);
      if (last.getOrDefault(record.partition(), -1) >= value) System.out.println("failure out of order: " + value);
      last.put(record.partition(), value);
    });
    int lost = 0;
    for (Map.Entry<Integer, String> each : load.acknowledged.entrySet())
      if (!each.getValue().equals(found.get(each.getKey()))) lost++;
    System.out.println("lost " + lost);
    System.out.println("found " + found.size());
  }

  static void share(String bootstrap, String topic, int count) {
    Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "group.id", "share-group", "share.acknowledgement.mode", "explicit", "max.poll.records", "5");
    try (KafkaShareConsumer<String, String> consumer = new KafkaShareConsumer<>(config, new StringDeserializer(), new StringDeserializer())) {
      consumer.subscribe(List.of(topic));
      List<String> values = new ArrayList<>();
      long until = System.currentTimeMillis() + 20_000;
      while (values.size() < count && System.currentTimeMillis() < until) {
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofSeconds(1))) {
          boolean wanted = values.size() < count;
          consumer.acknowledge(record, wanted ? AcknowledgeType.ACCEPT : AcknowledgeType.RELEASE);
          if (wanted) values.add(record.value());
        }
        consumer.commitSync();
      }
      System.out.println(String.join(" ", values));
    }
  }

  // ---- what there is

  interface Sink { void take(ConsumerRecord<String, String> record); }

  /** Keys and values that need not be text. */
  static final Deserializer<String> BYTES = (topic, bytes) -> bytes == null ? null : new String(bytes, StandardCharsets.ISO_8859_1);

  /** Everything that a consumer of this isolation gets, up to where the topics end now. */
  static void read(String bootstrap, String isolation, Collection<String> topics, Sink sink) {
    Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "enable.auto.commit", "false", "isolation.level", isolation,
        "max.poll.records", "5000");
    try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(config, BYTES, BYTES)) {
      List<TopicPartition> all = topics.stream().flatMap(topic -> consumer.partitionsFor(topic).stream())
          .map(info -> new TopicPartition(info.topic(), info.partition())).toList();
      consumer.assign(all);
      consumer.seekToBeginning(all);
      Map<TopicPartition, Long> ends = consumer.endOffsets(all);
      long until = System.currentTimeMillis() + 30_000;
      while (all.stream().anyMatch(each -> consumer.position(each) < ends.get(each))) {
        if (System.currentTimeMillis() > until) throw new IllegalStateException("not read to the ends " + ends);
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200)))
          if (record.offset() < ends.get(new TopicPartition(record.topic(), record.partition()))) sink.take(record);
      }
    }
  }

  /** A line a partition: how many records, and a digest of all there is in them. */
  static void digest(String bootstrap, String isolation, Collection<String> topics, List<String> lines) {
    Map<String, MessageDigest> digests = new TreeMap<>();
    Map<String, Integer> counts = new TreeMap<>();
    read(bootstrap, isolation, topics, record -> {
      String partition = record.topic() + " " + record.partition();
      StringBuilder text = new StringBuilder().append(record.offset()).append(' ').append(record.timestamp()).append(' ')
          .append(record.timestampType()).append(' ').append(record.key()).append(' ').append(record.value());
      for (Header header : record.headers()) text.append(' ').append(header.key()).append('=').append(Arrays.toString(header.value()));
      digests.computeIfAbsent(partition, none -> sha()).update(text.append('\n').toString().getBytes(StandardCharsets.UTF_8));
      counts.merge(partition, 1, Integer::sum);
    });
    digests.forEach((partition, digest) -> lines.add("records " + partition + " " + isolation + " " + counts.get(partition) + " "
        + HexFormat.of().formatHex(digest.digest(), 0, 8)));
  }

  static MessageDigest sha() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (java.security.NoSuchAlgorithmException never) {
      throw new IllegalStateException(never);
    }
  }

  static void cluster(String bootstrap) throws Exception {
    List<String> lines = new ArrayList<>();
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
      lines.add("cluster " + admin.describeCluster().clusterId().get());
      Set<String> names = new TreeSet<>(admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get());
      Map<TopicPartition, OffsetSpec> first = new HashMap<>();
      for (TopicDescription topic : admin.describeTopics(names).allTopicNames().get().values()) {
        lines.add("topic " + topic.name() + " " + topic.topicId() + " " + topic.partitions().size() + " " + topic.partitions().stream()
            .map(each -> each.leader().id() + "/" + each.replicas().size() + "/" + each.isr().size()).distinct().toList());
        topic.partitions().forEach(each -> first.put(new TopicPartition(topic.name(), each.partition()), OffsetSpec.earliest()));
      }
      for (var spec : List.of(OffsetSpec.earliest(), OffsetSpec.latest())) {
        for (IsolationLevel isolation : IsolationLevel.values()) {
          Map<TopicPartition, OffsetSpec> asked = first.keySet().stream().collect(Collectors.toMap(each -> each, each -> spec));
          Map<TopicPartition, ListOffsetsResult.ListOffsetsResultInfo> found = admin.listOffsets(asked, new ListOffsetsOptions(isolation)).all().get();
          found.forEach((at, info) -> lines.add("offset " + at.topic() + " " + at.partition() + " " + spec.getClass().getSimpleName() + " "
              + isolation + " " + info.offset() + " " + info.leaderEpoch().map(epoch -> "").orElse("no epoch")));
        }
      }
      List<ConfigResource> resources = new ArrayList<>(List.of(new ConfigResource(ConfigResource.Type.BROKER, ""),
          new ConfigResource(ConfigResource.Type.GROUP, "consumer-group"), new ConfigResource(ConfigResource.Type.CLIENT_METRICS, "metrics"),
          new ConfigResource(ConfigResource.Type.BROKER, "1")));
      names.forEach(name -> resources.add(new ConfigResource(ConfigResource.Type.TOPIC, name)));
      admin.describeConfigs(resources).all().get().forEach((resource, config) -> {
        for (ConfigEntry entry : config.entries())
          if (entry.source().name().startsWith("DYNAMIC")) lines.add("config " + resource.type() + " " + resource.name() + " " + entry.name() + "=" + entry.value());
      });
      for (String group : List.of("idle-group", "transactional-group", "pending-group")) {
        admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().forEach((at, offset) ->
            lines.add("committed " + group + " " + at + " " + offset.offset() + " " + offset.metadata()));
      }
      names.removeAll(Set.of("load", "__consumer_offsets"));
      for (String isolation : List.of("read_uncommitted", "read_committed")) digest(bootstrap, isolation, names, lines);
    }
    Collections.sort(lines);
    lines.forEach(System.out::println);
  }

  static void unserved(String bootstrap) throws Exception {
    List<String> lines = new ArrayList<>();
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
      admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get().forEach((entity, values) ->
          lines.add("quota " + new TreeMap<>(entity.entries()) + " " + values));
      admin.describeUserScramCredentials().all().get().values().forEach(each -> lines.add("scram " + each));
      admin.describeAcls(AclBindingFilter.ANY).values().get().forEach(each -> lines.add("acl " + each));
      admin.describeFeatures().featureMetadata().get().finalizedFeatures().forEach((name, range) ->
          lines.add("feature " + name + " " + range.maxVersionLevel()));
      admin.listTransactions().all().get().forEach(each ->
          lines.add("transaction " + each.transactionalId() + " " + each.producerId() + " " + each.state()));
      var producers = admin.describeProducers(List.of(new TopicPartition("held", 0))).all().get();
      producers.forEach((at, state) -> state.activeProducers().stream()
          .filter(each -> each.currentTransactionStartOffset().isPresent())
          .forEach(each -> lines.add("producer " + at + " " + each.producerId() + " " + each.producerEpoch() + " "
              + each.currentTransactionStartOffset().getAsLong())));
      QuorumInfo quorum = admin.describeMetadataQuorum().quorumInfo().get();
      lines.add("quorum " + quorum.voters().size() + " " + quorum.voters().get(0).replicaDirectoryId() + " " + quorum.nodes());
    }
    Collections.sort(lines);
    lines.forEach(System.out::println);
  }
}
