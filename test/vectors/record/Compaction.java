// Fills logs with keyed records, tombstones and transactions, has Apache Kafka's own cleaner compact them at chosen
// times, and writes down the bytes of every segment before and after each pass. Needs the jars of the broker on the
// class path and nothing else; no broker runs:
//
//   java -cp 'KAFKA/libs/*' test/vectors/record/Compaction.java OUT_FILE
//
// A case is {name, segmentBytes, deleteRetentionMs, passes: [{nowMs, mapBytes, from, to, dirty, before, known,
// segments, transactions}]}: `from` is the first dirty offset, `dirty` the first that may not be cleaned, `to` where
// the pass came; before it the segments and their indexes of aborted transactions are `before` and `known`, after it
// `segments` and `transactions`, each {base: base64}.

import java.io.File;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.internal.*;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.server.common.RequestLocal;
import org.apache.kafka.server.util.KafkaScheduler;
import org.apache.kafka.storage.internals.log.*;
import org.apache.kafka.storage.internals.utils.Throttler;
import org.apache.kafka.storage.log.metrics.BrokerTopicStats;

public class Compaction {
  static final long START = 1_700_000_000_000L;
  static final CompressionType[] CODECS = {
    CompressionType.NONE, CompressionType.GZIP, CompressionType.SNAPPY, CompressionType.LZ4, CompressionType.ZSTD
  };

  static final KafkaScheduler scheduler = new KafkaScheduler(1);
  final Path folder;
  final UnifiedLog log;
  final int segmentBytes;
  final long deleteRetentionMs;
  final Random random;
  final List<String> passes = new ArrayList<>();
  final Map<Long, Integer> sequences = new HashMap<>();
  long clean = 0;
  int value = 0;
  long clock = START;

  Compaction(Path root, int segmentBytes, long deleteRetentionMs, long seed) throws Exception {
    this.segmentBytes = segmentBytes;
    this.deleteRetentionMs = deleteRetentionMs;
    this.random = new Random(seed);
    folder = Files.createDirectories(root.resolve("t-0"));
    Properties configs = new Properties();
    configs.put("cleanup.policy", "compact");
    configs.put("internal.segment.bytes", segmentBytes);
    configs.put("index.interval.bytes", 100);
    configs.put("delete.retention.ms", deleteRetentionMs);
    configs.put("segment.ms", Long.MAX_VALUE);
    configs.put("message.timestamp.after.max.ms", Long.MAX_VALUE);
    log = UnifiedLog.create(folder.toFile(), new LogConfig(configs), 0, 0, scheduler, new BrokerTopicStats(), Time.SYSTEM,
        3_600_000, new ProducerStateManagerConfig(Integer.MAX_VALUE, false), 3_600_000, new LogDirFailureChannel(1), true,
        Optional.empty());
  }

  SimpleRecord[] records(int... keys) {
    SimpleRecord[] made = new SimpleRecord[keys.length];
    for (int i = 0; i < keys.length; i++) {
      byte[] key = ("key-" + (keys[i] & 127)).getBytes(StandardCharsets.UTF_8);
      String text = "value-" + value++ + "-" + ".".repeat(30);
      byte[] bytes = keys[i] > 127 ? null : text.getBytes(StandardCharsets.UTF_8);
      clock += random.nextInt(5) - 1;
      made[i] = new SimpleRecord(clock, key, bytes);
    }
    return made;
  }

  void append(CompressionType codec, int... keys) throws Exception {
    end(log.appendAsLeader(MemoryRecords.withRecords(Compression.of(codec).build(), records(keys)), 0));
  }

  void idempotent(long id, CompressionType codec, int... keys) throws Exception {
    int sequence = sequences.merge(id, keys.length, Integer::sum) - keys.length;
    end(log.appendAsLeader(MemoryRecords.withIdempotentRecords(
        Compression.of(codec).build(), id, (short) 0, sequence, records(keys)), 0));
  }

  void transactional(long id, CompressionType codec, int... keys) throws Exception {
    int sequence = sequences.merge(id, keys.length, Integer::sum) - keys.length;
    end(log.appendAsLeader(MemoryRecords.withTransactionalRecords(
        Compression.of(codec).build(), id, (short) 0, sequence, records(keys)), 0));
  }

  void finish(long id, boolean commit) throws Exception {
    ControlRecordType type = commit ? ControlRecordType.COMMIT : ControlRecordType.ABORT;
    MemoryRecords marker = MemoryRecords.withEndTransactionMarker(clock, id, (short) 0, new EndTransactionMarker(type, 0));
    end(log.appendAsLeader(marker, 0, AppendOrigin.COORDINATOR, RequestLocal.noCaching(), VerificationGuard.SENTINEL, (short) 1));
  }

  void end(LogAppendInfo info) throws Exception {
    log.updateHighWatermark(log.logEndOffset());
  }

  String segments(String suffix) throws Exception {
    StringJoiner all = new StringJoiner(",", "{", "}");
    for (LogSegment segment : log.logSegments()) {
      Path file = folder.resolve(String.format("%020d%s", segment.baseOffset(), suffix));
      if (!Files.exists(file)) continue;
      byte[] bytes = Files.readAllBytes(file);
      if (suffix.equals(".log")) bytes = Arrays.copyOf(bytes, segment.size());
      all.add("\"" + segment.baseOffset() + "\":\"" + Base64.getEncoder().encodeToString(bytes) + "\"");
    }
    return all.toString();
  }

  void pass(long nowMs, int mapBytes) throws Exception {
    log.flush(true);
    String before = segments(".log");
    String known = segments(".txnindex");
    long limit = Math.min(log.lastStableOffset(), log.activeSegment().baseOffset());
    LogToClean toClean = new LogToClean(log, clean, limit, false);
    if (toClean.firstUncleanableOffset() <= clean) return;
    Throttler throttler = new Throttler(Double.MAX_VALUE, 300, "t" + passes.size() + folder.hashCode(), "bytes", Time.SYSTEM);
    Cleaner cleaner = new Cleaner(0, new SkimpyOffsetMap(mapBytes), 65536, 1 << 20, 0.9, throttler, Time.SYSTEM, tp -> {});
    long to = cleaner.doClean(toClean, nowMs).getKey();
    passes.add("{\"nowMs\":" + nowMs + ",\"mapBytes\":" + mapBytes + ",\"from\":" + clean + ",\"to\":" + to
        + ",\"dirty\":" + toClean.firstUncleanableOffset() + ",\"before\":" + before + ",\"known\":" + known + ",\"segments\":" + segments(".log")
        + ",\"transactions\":" + segments(".txnindex") + "}");
    clean = to;
  }

  String done(String name) {
    log.close();
    return "{\"name\":\"" + name + "\",\"segmentBytes\":" + segmentBytes + ",\"deleteRetentionMs\":" + deleteRetentionMs
        + ",\"passes\":[\n" + String.join(",\n", passes) + "]}";
  }

  /** Everything at once, by the dice. */
  static String random(Path root, String name, long seed, boolean compressed, boolean transactions) throws Exception {
    Compaction made = new Compaction(root, 1500, 5000, seed);
    boolean[] open = new boolean[2];
    for (int round = 0; round < 4; round++) {
      for (int n = 0; n < 25; n++) {
        int[] keys = made.random.ints(1 + made.random.nextInt(4), 0, 12)
            .map(key -> made.random.nextInt(6) == 0 ? key | 128 : key).toArray();
        CompressionType codec = compressed ? CODECS[made.random.nextInt(5)] : CompressionType.NONE;
        int dice = made.random.nextInt(transactions ? 6 : 3);
        if (dice < 2) made.append(codec, keys);
        else if (dice == 2) made.idempotent(100 + made.random.nextInt(2), codec, keys);
        else {
          int which = made.random.nextInt(2);
          if (dice == 5 && open[which]) {
            made.finish(200 + which, made.random.nextBoolean());
            open[which] = false;
          } else {
            made.transactional(200 + which, codec, keys);
            open[which] = true;
          }
        }
      }
      for (int which = 0; which < 2; which++) {
        if (open[which] && round % 2 == 1) {
          made.finish(200 + which, made.random.nextBoolean());
          open[which] = false;
        }
      }
      made.log.roll();
      made.append(CompressionType.NONE, 0);
      made.pass(START + 3000L * round, round == 2 ? 24 * 6 : 1 << 16);
    }
    for (int later = 0; later < 3; later++) {
      made.log.roll();
      made.append(CompressionType.NONE, 0);
      made.pass(START + 20_000L + 6000L * later, 1 << 16);
    }
    return made.done(name);
  }

  public static void main(String[] args) throws Exception {
    scheduler.startup();
    List<String> cases = new ArrayList<>();
    for (int n = 0; n < 4; n++) {
      Path root = Files.createTempDirectory("compaction");
      boolean transactions = n % 2 == 1;
      String name = (n > 1 ? "compressed " : "") + (transactions ? "transactions" : "records");
      cases.add(random(root, name, 7 + n, n > 1, transactions));
      Utils.delete(root.toFile());
    }
    Files.writeString(Path.of(args[0]), "[" + String.join(",\n", cases) + "]\n");
    scheduler.shutdown();
  }
}
