/*
 * One virtual machine for many checks. It reads a command a line from stdin, its words apart by tabs, and answers each
 * with what the command printed on stdout, U+0003, what it printed on stderr, U+0004, the exit code and a line's end.
 *
 *   tool CLASS ARGS...                          Kafka's program of that class, until it ends
 *   produce BOOTSTRAP TOPIC PARTITIONS FROM TO  values FROM .. TO-1, in turn to each partition
 *   start NAME SUBSCRIPTION KEY=VALUE...        a consumer in a thread: a,b topics; re:x a pattern for the broker
 *   states                                      a line a consumer: name, partitions, rebalances, error, values seen
 *   open FOLDER RECOVERY_POINT LOG_START        a partition's folder as a broker opens it; prints its end offset
 *   stop NAME | remain NAME                     closes it: as its configuration says; without leaving its group
 *
 * Consumers commit whatever they polled before they poll again. Programs run one at a time; consumers run beside them.
 */
import java.io.*;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.common.utils.Exit;
import org.apache.kafka.storage.internals.log.*;
import org.apache.kafka.storage.log.metrics.BrokerTopicStats;

public class Jvm {
  static final class Ended extends RuntimeException {
    final int code;
    Ended(int code) { this.code = code; }
  }

  static Ended ended;

  /**
   * Some programs catch what is thrown here and want to end again, with another code: the first
   * counts, and what it said.
   */
  static void end(int code) {
    if (ended == null) ended = new Ended(code);
    System.setErr(new PrintStream(OutputStream.nullOutputStream()));
    throw ended;
  }

  static final Map<String, Member> members = new ConcurrentSkipListMap<>();

  public static void main(String[] none) throws Exception {
    Exit.setExitProcedure((code, message) -> end(code));
    Exit.setHaltProcedure((code, message) -> end(code));
    PrintStream answers = System.out;
    BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = commands.readLine(); line != null; line = commands.readLine()) {
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      ByteArrayOutputStream err = new ByteArrayOutputStream();
      System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
      System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
      ended = null;
      int code = 0;
      try {
        run(line.split("\t", -1));
      } catch (Throwable failure) {
        Throwable cause = failure instanceof java.lang.reflect.InvocationTargetException ? failure.getCause() : failure;
        code = 1;
        cause.printStackTrace();
      }
      if (ended != null) code = ended.code;
      System.out.flush();
      System.err.flush();
      answers.write(out.toByteArray());
      answers.write(3);
      answers.write(err.toByteArray());
      answers.write(4);
      answers.println(code);
      answers.flush();
    }
    // What programs leave behind for the machine's end is of no interest.
    Runtime.getRuntime().halt(0);
  }

  static void run(String[] words) throws Exception {
    switch (words[0]) {
      case "tool" -> Class.forName(words[1]).getMethod("main", String[].class)
          .invoke(null, (Object) Arrays.copyOfRange(words, 2, words.length));
      case "produce" -> produce(words[1], words[2], Integer.parseInt(words[3]), Integer.parseInt(words[4]), Integer.parseInt(words[5]));
      case "open" -> open(new File(words[1]), Long.parseLong(words[2]), Long.parseLong(words[3]));
      case "start" -> members.put(words[1], new Member(words[2], Arrays.copyOfRange(words, 3, words.length)));
      case "states" -> members.forEach((name, member) -> System.out.println(name + "\t" + member.state()));
      case "stop" -> members.remove(words[1]).stop(CloseOptions.GroupMembershipOperation.DEFAULT);
      case "remain" -> members.remove(words[1]).stop(CloseOptions.GroupMembershipOperation.REMAIN_IN_GROUP);
      default -> throw new IllegalArgumentException(words[0]);
    }
  }

  static void produce(String bootstrap, String topic, int partitions, int from, int to) throws Exception {
    Map<String, Object> config = Map.of("bootstrap.servers", bootstrap);
    try (Producer<String, String> producer = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
      List<Future<RecordMetadata>> sent = new ArrayList<>();
      for (int i = from; i < to; i++)
        sent.add(producer.send(new ProducerRecord<>(topic, i % partitions, null, Integer.toString(i))));
      for (Future<RecordMetadata> each : sent) each.get(30, TimeUnit.SECONDS);
    }
  }

  static void open(File folder, long recoveryPoint, long logStart) throws Exception {
    var scheduler = new org.apache.kafka.server.util.KafkaScheduler(1);
    scheduler.startup();
    try {
      var log = UnifiedLog.create(folder, new LogConfig(Map.of()), logStart, recoveryPoint, scheduler, new BrokerTopicStats(false),
          org.apache.kafka.common.utils.Time.SYSTEM, 900_000, new ProducerStateManagerConfig(86_400_000, true), 600_000,
          new LogDirFailureChannel(1), false, Optional.empty());
      System.out.println(log.logEndOffset());
      log.close();
    } finally {
      scheduler.shutdown();
    }
  }

  /** A consumer and the thread that polls it. */
  static final class Member implements ConsumerRebalanceListener {
    final KafkaConsumer<String, String> consumer;
    final Thread thread;
    final Set<TopicPartition> owned = ConcurrentHashMap.newKeySet();
    final Queue<String> values = new ConcurrentLinkedQueue<>();
    volatile int rebalances;
    volatile String error = "";
    volatile CloseOptions.GroupMembershipOperation ending;

    Member(String subscription, String[] settings) {
      Map<String, Object> config = new HashMap<>();
      config.put("enable.auto.commit", "false");
      config.put("auto.offset.reset", "earliest");
      for (String setting : settings) config.put(setting.substring(0, setting.indexOf('=')), setting.substring(setting.indexOf('=') + 1));
      consumer = new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
      if (subscription.startsWith("re:")) consumer.subscribe(new SubscriptionPattern(subscription.substring(3)), this);
      else consumer.subscribe(List.of(subscription.split(",")), this);
      thread = new Thread(this::poll);
      thread.setDaemon(true);
      thread.start();
    }

    void poll() {
      try {
        while (ending == null) {
          ConsumerRecords<String, String> records = consumer.poll(Duration.ofSeconds(1));
          for (ConsumerRecord<String, String> record : records) values.add(record.value());
          if (!records.isEmpty()) {
            try {
              consumer.commitSync();
            } catch (CommitFailedException | RetriableCommitFailedException lost) {
              // Whoever has the partitions now reads them again.
            }
          }
        }
      } catch (WakeupException stopped) {
        // stop() said so.
      } catch (Throwable failure) {
        error = failure.getClass().getSimpleName();
      }
      consumer.close(CloseOptions.timeout(Duration.ofSeconds(10))
          .withGroupMembershipOperation(ending == null ? CloseOptions.GroupMembershipOperation.DEFAULT : ending));
    }

    void stop(CloseOptions.GroupMembershipOperation how) throws InterruptedException {
      ending = how;
      consumer.wakeup();
      thread.join();
    }

    String state() {
      String partitions = owned.stream().map(TopicPartition::toString).sorted().collect(Collectors.joining(","));
      return String.join("\t", partitions, Integer.toString(rebalances), error, String.join(" ", values));
    }

    @Override public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
      owned.addAll(partitions);
      rebalances++;
    }

    @Override public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
      partitions.forEach(owned::remove);
    }

    @Override public void onPartitionsLost(Collection<TopicPartition> partitions) {
      partitions.forEach(owned::remove);
    }
  }
}
