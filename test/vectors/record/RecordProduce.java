// Sends hand-made record batches to a running Apache Kafka and writes down what it answers, and, of what it accepted,
// the bytes it stored. Single node, no security. Needs the jars of the broker on the class path and nothing else:
//
//   java -cp 'KAFKA/libs/*' test/vectors/record/RecordProduce.java HOST:PORT OUT_DIR
//   java -cp 'KAFKA/libs/*' test/vectors/record/RecordProduce.java snapshots LOG_DIR OUT_DIR
//
// The first form writes OUT_DIR/batches.json (independent batches) and OUT_DIR/sequences.json (batches of one producer
// in order). Topics named odradek-vectors-* are created for it and left behind. The second, after the broker has
// stopped, writes OUT_DIR/snapshots.json: the producer snapshot of each sequence's partition.

import java.io.*;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import java.util.zip.CRC32C;
import java.util.zip.GZIPOutputStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;

public class RecordProduce {
  static final int HEADER = 61;
  static final String PREFIX = "odradek-vectors-";
  static final String[] CODECS = {"none", "gzip", "snappy", "lz4", "zstd"};

  // ---- building ----

  static void varlong(ByteArrayOutputStream to, long value) {
    long rest = (value << 1) ^ (value >> 63);
    while ((rest & ~0x7fL) != 0) {
      to.write((int) (rest & 0x7f | 0x80));
      rest >>>= 7;
    }
    to.write((int) rest);
  }

  static byte[] varint(long value) {
    ByteArrayOutputStream to = new ByteArrayOutputStream();
    varlong(to, value);
    return to.toByteArray();
  }

  static byte[] concat(byte[]... parts) {
    ByteArrayOutputStream to = new ByteArrayOutputStream();
    for (byte[] part : parts) to.writeBytes(part);
    return to.toByteArray();
  }

  static byte[] bytes(int... values) {
    byte[] to = new byte[values.length];
    for (int i = 0; i < values.length; i++) to[i] = (byte) values[i];
    return to;
  }

  static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  static byte[] field(byte[] value) {
    return value == null ? varint(-1) : concat(varint(value.length), value);
  }

  /** The fields of a record, without the length before them. */
  static byte[] fields(int attributes, long timestampDelta, int offsetDelta, byte[] key, byte[] value, byte[]... headers) {
    return concat(bytes(attributes), varint(timestampDelta), varint(offsetDelta), field(key), field(value),
        varint(headers.length), concat(headers));
  }

  static byte[] withLength(byte[] fields) {
    return concat(varint(fields.length), fields);
  }

  static byte[] record(long timestampDelta, int offsetDelta, byte[] key, byte[] value, byte[]... headers) {
    return withLength(fields(0, timestampDelta, offsetDelta, key, value, headers));
  }

  static byte[] compress(int codec, byte[] data) throws IOException {
    ByteArrayOutputStream to = new ByteArrayOutputStream();
    OutputStream stream = switch (codec) {
      case 0 -> to;
      case 1 -> new GZIPOutputStream(to);
      case 2 -> new org.xerial.snappy.SnappyOutputStream(to);
      case 3 -> lz4(to, net.jpountz.lz4.LZ4FrameOutputStream.BLOCKSIZE.SIZE_64KB);
      case 4 -> new com.github.luben.zstd.ZstdOutputStreamNoFinalizer(to, 3);
      default -> throw new IllegalArgumentException();
    };
    stream.write(data);
    stream.close();
    return to.toByteArray();
  }

  static OutputStream lz4(OutputStream to, net.jpountz.lz4.LZ4FrameOutputStream.BLOCKSIZE size,
      net.jpountz.lz4.LZ4FrameOutputStream.FLG.Bits... more) throws IOException {
    var bits = new net.jpountz.lz4.LZ4FrameOutputStream.FLG.Bits[more.length + 1];
    bits[0] = net.jpountz.lz4.LZ4FrameOutputStream.FLG.Bits.BLOCK_INDEPENDENCE;
    System.arraycopy(more, 0, bits, 1, more.length);
    return new net.jpountz.lz4.LZ4FrameOutputStream(to, size, bits);
  }

  static byte[] lz4(byte[] data, net.jpountz.lz4.LZ4FrameOutputStream.BLOCKSIZE size,
      net.jpountz.lz4.LZ4FrameOutputStream.FLG.Bits... more) throws IOException {
    ByteArrayOutputStream to = new ByteArrayOutputStream();
    OutputStream stream = lz4(to, size, more);
    stream.write(data);
    stream.close();
    return to.toByteArray();
  }

  /** A batch, every field of which can be set wrong. */
  static class Batch {
    long baseOffset = 0, baseTimestamp, maxTimestamp, producerId = -1;
    Integer length;
    int leaderEpoch = -1, magic = 2, attributes, lastOffsetDelta, baseSequence = -1, count;
    short producerEpoch = -1;
    boolean badCrc;
    byte[] body;

    Batch(long timestamp, int codec, int count, byte[] body) {
      baseTimestamp = maxTimestamp = timestamp;
      attributes = codec;
      this.count = count;
      lastOffsetDelta = count - 1;
      this.body = body;
    }

    Batch producer(long id, int epoch, int sequence) {
      producerId = id;
      producerEpoch = (short) epoch;
      baseSequence = sequence;
      return this;
    }

    byte[] build() {
      ByteBuffer to = ByteBuffer.allocate(HEADER + body.length);
      to.putLong(baseOffset).putInt(length != null ? length : HEADER - 12 + body.length).putInt(leaderEpoch);
      to.put((byte) magic).putInt(0).putShort((short) attributes).putInt(lastOffsetDelta);
      to.putLong(baseTimestamp).putLong(maxTimestamp).putLong(producerId).putShort(producerEpoch);
      to.putInt(baseSequence).putInt(count).put(body);
      CRC32C crc = new CRC32C();
      crc.update(to.array(), 21, to.capacity() - 21);
      to.putInt(17, (int) crc.getValue() ^ (badCrc ? 1 : 0));
      return to.array();
    }
  }

  interface Change {
    void to(Batch batch) throws IOException;
  }

  static Batch plain(long now, int codec) throws IOException {
    return new Batch(now, codec, 3, compress(codec, concat(
        record(0, 0, utf8("a"), utf8("one"), concat(field(utf8("h")), field(utf8("v"))), concat(field(utf8("n")), field(null))),
        record(5, 1, null, utf8("two")),
        record(-7, 2, utf8(""), null))));
  }

  static byte[] changed(Batch batch, Change change) throws IOException {
    change.to(batch);
    return batch.build();
  }

  // ---- talking ----

  static DataInputStream in;
  static DataOutputStream out;
  static String address;

  static void connect() throws IOException {
    String[] parts = address.split(":");
    Socket socket = new Socket(parts[0], Integer.parseInt(parts[1]));
    in = new DataInputStream(new BufferedInputStream(socket.getInputStream()));
    out = new DataOutputStream(socket.getOutputStream());
  }

  static DataInputStream call(int key, int version, byte[] body) throws IOException {
    byte[] client = utf8("vectors");
    ByteArrayOutputStream frame = new ByteArrayOutputStream();
    DataOutputStream to = new DataOutputStream(frame);
    to.writeShort(key);
    to.writeShort(version);
    to.writeInt(7);
    to.writeShort(client.length);
    to.write(client);
    to.write(body);
    out.writeInt(frame.size());
    out.write(frame.toByteArray());
    out.flush();
    byte[] answer = new byte[in.readInt()];
    in.readFully(answer);
    DataInputStream from = new DataInputStream(new ByteArrayInputStream(answer));
    from.readInt();
    return from;
  }

  static String string(DataInputStream from) throws IOException {
    int length = from.readShort();
    if (length < 0) return null;
    byte[] text = new byte[length];
    from.readFully(text);
    return new String(text, StandardCharsets.UTF_8);
  }

  record Answer(int error, long base, long appendTime, List<Integer> errors, boolean message) {}

  /** Produce, acks=all. Versions 3 to 8. A dropped connection is error -1000. */
  static Answer produce(String topic, int version, byte[] batch) throws IOException {
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    DataOutputStream to = new DataOutputStream(body);
    to.writeShort(-1);
    to.writeShort(-1);
    to.writeInt(30000);
    to.writeInt(1);
    to.writeShort(topic.length());
    to.write(utf8(topic));
    to.writeInt(1);
    to.writeInt(0);
    to.writeInt(batch.length);
    to.write(batch);
    DataInputStream from;
    try {
      from = call(0, version, body.toByteArray());
    } catch (EOFException dropped) {
      connect();
      return new Answer(-1000, -1, -1, List.of(), false);
    }
    from.readInt();
    string(from);
    from.readInt();
    from.readInt();
    int error = from.readShort();
    long base = from.readLong(), appendTime = from.readLong();
    if (version >= 5) from.readLong();
    List<Integer> errors = new ArrayList<>();
    String message = null;
    if (version >= 8) {
      for (int n = from.readInt(); n > 0; n--) {
        errors.add(from.readInt());
        string(from);
      }
      message = string(from);
    }
    return new Answer(error, base, appendTime, errors, message != null);
  }

  /** The batch that holds this offset, as it is stored. */
  static byte[] stored(String topic, long offset) throws IOException {
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    DataOutputStream to = new DataOutputStream(body);
    to.writeInt(-1);
    to.writeInt(1000);
    to.writeInt(1);
    to.writeInt(64 << 20);
    to.writeByte(0);
    to.writeInt(1);
    to.writeShort(topic.length());
    to.write(utf8(topic));
    to.writeInt(1);
    to.writeInt(0);
    to.writeLong(offset);
    to.writeInt(64 << 20);
    DataInputStream from = call(1, 4, body.toByteArray());
    from.readInt();
    from.readInt();
    string(from);
    from.readInt();
    from.readInt();
    if (from.readShort() != 0) throw new IOException("fetch failed");
    from.readLong();
    from.readLong();
    for (int n = from.readInt(); n > 0; n--) from.skipBytes(16);
    byte[] records = new byte[from.readInt()];
    from.readFully(records);
    return Arrays.copyOf(records, 12 + ByteBuffer.wrap(records).getInt(8));
  }

  // ---- writing down ----

  static String json(Map<String, String> configs) {
    StringJoiner to = new StringJoiner(", ", "{", "}");
    configs.forEach((key, value) -> to.add("\"" + key + "\": \"" + value + "\""));
    return to.toString();
  }

  static String base64(byte[] bytes) {
    return bytes == null ? "null" : "\"" + Base64.getEncoder().encodeToString(bytes) + "\"";
  }

  static String line(String name, Map<String, String> configs, int version, long now, byte[] batch, Answer answer, byte[] stored) {
    return "  {\"name\": \"" + name + "\", \"configs\": " + json(configs) + ", \"version\": " + version + ", \"now\": " + now
        + ", \"error\": " + answer.error + ", \"recordErrors\": " + answer.errors + ", \"message\": " + answer.message
        + ", \"appendTime\": " + answer.appendTime + ",\n   \"batch\": " + base64(batch) + ",\n   \"stored\": " + (same(batch, stored) ? "\"same\"" : base64(stored)) + "}";
  }

  /** The bytes are those that were sent, but for base offset and leader epoch. */
  static boolean same(byte[] batch, byte[] stored) {
    if (stored == null || stored.length > batch.length) return false;
    byte[] sent = Arrays.copyOf(batch, stored.length);
    System.arraycopy(stored, 0, sent, 0, 8);
    System.arraycopy(stored, 12, sent, 12, 4);
    return Arrays.equals(sent, stored);
  }

  static final Map<Map<String, String>, String> topics = new LinkedHashMap<>();
  static Admin admin;

  static String topic(Map<String, String> configs) throws Exception {
    String name = topics.get(configs);
    if (name == null) {
      name = create(PREFIX + Long.toString(System.nanoTime(), 36), configs);
      topics.put(configs, name);
    }
    return name;
  }

  static String create(String name, Map<String, String> configs) throws Exception {
    admin.createTopics(List.of(new NewTopic(name, 1, (short) 1).configs(configs))).all().get();
    // Until the partition has a leader.
    for (int tries = 0; produce(name, 8, new byte[0]).error != 87; tries++) {
      if (tries == 200) throw new IOException("no leader for " + name);
      Thread.sleep(50);
    }
    return name;
  }

  /** The latest producer snapshot of each sequence's partition. */
  static void snapshots(Path logs, Path to) throws IOException {
    try (DirectoryStream<Path> folders = Files.newDirectoryStream(logs, PREFIX + "sequence-*")) {
      Map<Integer, String> found = new TreeMap<>();
      for (Path folder : folders) {
        int number = Integer.parseInt(folder.getFileName().toString().substring(PREFIX.length()).split("-")[1]);
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, "*.snapshot")) {
          List<Path> all = new ArrayList<>();
          files.forEach(all::add);
          if (all.isEmpty()) continue;
          Path last = Collections.max(all);
          found.put(number, "  {\"sequence\": " + number + ", \"end\": " + Long.parseLong(last.getFileName().toString().split("[.]")[0])
              + ", \"bytes\": " + base64(Files.readAllBytes(last)) + "}");
        }
      }
      lines.addAll(found.values());
    }
    write(to.resolve("snapshots.json"));
  }

  static final List<String> lines = new ArrayList<>();

  static void send(String name, Map<String, String> configs, byte[] batch) throws Exception {
    send(name, configs, 8, batch);
  }

  static void send(String name, Map<String, String> configs, int version, byte[] batch) throws Exception {
    String topic = topic(configs);
    long now = System.currentTimeMillis();
    Answer answer = produce(topic, version, batch);
    byte[] stored = answer.error == 0 && answer.base >= 0 ? stored(topic, answer.base) : null;
    lines.add(line(name, configs, version, now, batch, answer, stored));
    System.out.println(answer.error + (answer.errors.isEmpty() ? "" : " " + answer.errors) + "  " + name);
  }

  static void write(Path path) throws IOException {
    Files.writeString(path, "[\n" + String.join(",\n", lines) + "\n]\n");
    lines.clear();
  }

  static Map<String, String> with(String... pairs) {
    Map<String, String> configs = new LinkedHashMap<>();
    for (int i = 0; i < pairs.length; i += 2) configs.put(pairs[i], pairs[i + 1]);
    return configs;
  }

  static final Map<String, String> NONE = with();
  static final Map<String, String> APPEND_TIME = with("message.timestamp.type", "LogAppendTime");
  static final Map<String, String> COMPACT = with("cleanup.policy", "compact");
  static final Map<String, String> SMALL = with("max.message.bytes", "1000");
  static final Map<String, String> BOUNDED = with("message.timestamp.before.max.ms", "3600000", "message.timestamp.after.max.ms", "60000");

  public static void main(String[] arguments) throws Exception {
    if (arguments[0].equals("snapshots")) {
      snapshots(Path.of(arguments[1]), Path.of(arguments[2]));
      return;
    }
    address = arguments[0];
    Path to = Path.of(arguments[1]);
    Files.createDirectories(to);
    admin = Admin.create(Map.of("bootstrap.servers", address));
    connect();
    frames();
    headers();
    for (int codec = 0; codec < CODECS.length; codec++) records(codec);
    for (int codec = 0; codec < CODECS.length; codec++) timestamps(codec);
    sizes();
    broken();
    rewrites();
    write(to.resolve("batches.json"));
    sequences();
    write(to.resolve("sequences.json"));
    admin.close();
  }

  // ---- the cases ----

  static void frames() throws Exception {
    long now = System.currentTimeMillis();
    byte[] good = plain(now, 0).build();
    send("frame: whole", NONE, good);
    send("frame: no bytes", NONE, new byte[0]);
    send("frame: 11 bytes", NONE, Arrays.copyOf(good, 11));
    send("frame: 16 bytes", NONE, Arrays.copyOf(good, 16));
    send("frame: 17 bytes", NONE, Arrays.copyOf(good, 17));
    send("frame: header only", NONE, Arrays.copyOf(good, HEADER));
    send("frame: last byte missing", NONE, Arrays.copyOf(good, good.length - 1));
    for (int length : new int[] {Integer.MIN_VALUE, -1, 0, 13, Integer.MAX_VALUE - 12}) {
      send("frame: length " + length, NONE, changed(plain(now, 0), batch -> batch.length = length));
    }
    for (int total : new int[] {26, 27, 40, 60}) {
      byte[] cut = Arrays.copyOf(good, total);
      ByteBuffer.wrap(cut).putInt(8, total - 12);
      send("frame: " + total + " bytes and a length of it", NONE, cut);
    }
    for (int magic : new int[] {-1, 0, 1, 3, 127}) {
      send("frame: magic " + magic, NONE, changed(plain(now, 0), batch -> batch.magic = magic));
    }
    send("frame: two batches", NONE, concat(good, good));
    send("frame: a batch and 1 byte", NONE, concat(good, new byte[1]));
    send("frame: a batch and 11 bytes", NONE, concat(good, new byte[11]));
    send("frame: a batch and 12 zeros", NONE, concat(good, new byte[12]));
    send("frame: a batch and half of one", NONE, concat(good, Arrays.copyOf(good, 40)));
    send("frame: a batch and 14 bytes of one", NONE, concat(good, Arrays.copyOf(good, 14)));
    byte[] odd = good.clone();
    odd[16] = 9;
    send("frame: a batch and one of magic 9", NONE, concat(good, odd));
    send("frame: length one less", NONE, changed(plain(now, 0), batch -> batch.length = good.length - 13));
    send("frame: zstd in version 3", NONE, 3, plain(now, 4).build());
    send("frame: zstd in version 7", NONE, 7, plain(now, 4).build());
    send("frame: gzip in version 3", NONE, 3, plain(now, 1).build());
  }

  static void headers() throws Exception {
    long now = System.currentTimeMillis();
    for (long offset : new long[] {1, -1, 7_000_000_000L, Long.MIN_VALUE}) {
      send("header: base offset " + offset, NONE, changed(plain(now, 0), batch -> batch.baseOffset = offset));
    }
    send("header: leader epoch 9", NONE, changed(plain(now, 0), batch -> batch.leaderEpoch = 9));
    for (int codec = 0; codec < 5; codec++) {
      send("header: wrong crc, " + CODECS[codec], NONE, changed(plain(now, codec), batch -> batch.badCrc = true));
    }
    for (int codec = 5; codec < 8; codec++) {
      int id = codec;
      send("header: codec " + codec, NONE, changed(plain(now, 0), batch -> batch.attributes = id));
    }
    for (int codec : new int[] {0, 4}) {
      String of = ", " + CODECS[codec];
      send("header: count 0, delta 0" + of, NONE, changed(plain(now, codec), batch -> {
        batch.count = 0;
        batch.lastOffsetDelta = 0;
      }));
      send("header: count 0, delta -1" + of, NONE, changed(plain(now, codec), batch -> {
        batch.count = 0;
        batch.lastOffsetDelta = -1;
      }));
      send("header: count -1, delta 2" + of, NONE, changed(plain(now, codec), batch -> batch.count = -1));
      send("header: count 3, delta 0" + of, NONE, changed(plain(now, codec), batch -> batch.lastOffsetDelta = 0));
      send("header: count 3, delta -5" + of, NONE, changed(plain(now, codec), batch -> batch.lastOffsetDelta = -5));
      send("header: count 2 of 3" + of, NONE, changed(plain(now, codec), batch -> {
        batch.count = 2;
        batch.lastOffsetDelta = 1;
      }));
      send("header: count 4 of 3" + of, NONE, changed(plain(now, codec), batch -> {
        batch.count = 4;
        batch.lastOffsetDelta = 3;
      }));
      send("header: count and delta largest" + of, NONE, changed(plain(now, codec), batch -> {
        batch.count = Integer.MAX_VALUE;
        batch.lastOffsetDelta = Integer.MAX_VALUE - 1;
      }));
      send("header: control" + of, NONE, changed(plain(now, codec), batch -> batch.attributes |= 0x20));
      send("header: delete horizon" + of, NONE, changed(plain(now, codec), batch -> batch.attributes |= 0x40));
      send("header: bit 7" + of, NONE, changed(plain(now, codec), batch -> batch.attributes |= 0x80));
      send("header: high byte" + of, NONE, changed(plain(now, codec), batch -> batch.attributes |= 0x5500));
      send("header: high byte, max timestamp wrong" + of, NONE, changed(plain(now, codec), batch -> {
        batch.attributes |= 0x5580;
        batch.maxTimestamp = now;
      }));
      send("header: producer 5, sequence -1" + of, NONE, changed(plain(now, codec), batch -> batch.producer(5, 0, -1)));
      send("header: producer 5, sequence -2" + of, NONE, changed(plain(now, codec), batch -> batch.producer(5, 0, -2)));
      send("header: producer -5" + of, NONE, changed(plain(now, codec), batch -> batch.producer(-5, 0, -1)));
      send("header: no producer, sequence 3" + of, NONE, changed(plain(now, codec), batch -> batch.producer(-1, 4, 3)));
    }
    send("header: producer 6, epoch -1", NONE, changed(plain(now, 0), batch -> batch.producer(6, -1, 0)));
    send("header: max timestamp low", NONE, changed(plain(now, 0), batch -> batch.maxTimestamp = 0));
    send("header: max timestamp high", NONE, changed(plain(now, 0), batch -> batch.maxTimestamp = Long.MAX_VALUE));
    send("header: all wrong", SMALL, changed(plain(now, 0), batch -> {
      batch.baseOffset = 1;
      batch.badCrc = true;
      batch.count = 0;
    }));
  }

  /** Records of every wrong shape, in each codec. */
  static void records(int codec) throws Exception {
    long now = System.currentTimeMillis();
    byte[] first = record(0, 0, utf8("k"), utf8("value"));
    byte[] last = record(1, 1, utf8("l"), utf8("other"));
    byte[] fields = fields(0, 0, 0, utf8("k"), utf8("value"));
    byte[] header = concat(field(utf8("h")), field(utf8("v")));
    Map<String, byte[]> shapes = new LinkedHashMap<>();
    shapes.put("as it should be", first);
    shapes.put("attributes 0x7f", withLength(fields(0x7f, 0, 0, utf8("k"), utf8("value"))));
    shapes.put("length one too many", concat(varint(fields.length + 1), fields));
    shapes.put("length one too few", concat(varint(fields.length - 1), fields));
    shapes.put("length 0", concat(varint(0), fields));
    shapes.put("length -1", concat(varint(-1), fields));
    shapes.put("length largest", concat(varint(Integer.MAX_VALUE), fields));
    shapes.put("length varint of 5 bytes", concat(bytes(0x80 | fields.length * 2, 0x80, 0x80, 0x80, 0), fields));
    shapes.put("length varint of 6 bytes", concat(bytes(0x80 | fields.length * 2, 0x80, 0x80, 0x80, 0x80, 0), fields));
    shapes.put("length -1 and nothing", varint(-1));
    shapes.put("one byte left over", withLength(concat(fields, bytes(0))));
    shapes.put("key longer than the record", withLength(concat(bytes(0, 0, 0), varint(1000), utf8("k"))));
    shapes.put("key of largest length", withLength(concat(bytes(0, 0, 0), varint(Integer.MAX_VALUE), utf8("k"))));
    shapes.put("key length -2", withLength(concat(bytes(0, 0, 0), varint(-2), field(utf8("value")), varint(0))));
    shapes.put("value longer than the record", withLength(concat(bytes(0, 0, 0), field(utf8("k")), varint(1000), utf8("v"))));
    shapes.put("value length -2", withLength(concat(bytes(0, 0, 0), field(utf8("k")), varint(-2), varint(0))));
    shapes.put("no header count", withLength(concat(bytes(0, 0, 0), field(utf8("k")), field(utf8("value")))));
    shapes.put("header count -1", withLength(concat(bytes(0, 0, 0), field(utf8("k")), field(utf8("value")), varint(-1))));
    shapes.put("header count largest", withLength(concat(bytes(0, 0, 0), field(utf8("k")), field(utf8("value")), varint(Integer.MAX_VALUE))));
    shapes.put("header count 2, header 1", withLength(concat(bytes(0, 0, 0), field(utf8("k")), field(utf8("value")), varint(2), header)));
    shapes.put("header without key", withLength(concat(bytes(0, 0, 0), field(utf8("k")), field(utf8("value")), varint(1), varint(-1), field(utf8("v")))));
    shapes.put("header value length -2", withLength(concat(bytes(0, 0, 0), field(utf8("k")), field(utf8("value")), varint(1), field(utf8("h")), varint(-2))));
    shapes.put("header value too long", withLength(concat(bytes(0, 0, 0), field(utf8("k")), field(utf8("value")), varint(1), field(utf8("h")), varint(99))));
    shapes.put("header key not utf-8", withLength(concat(bytes(0, 0, 0), field(utf8("k")), field(utf8("value")), varint(1), field(bytes(0xff, 0xfe)), field(utf8("v")))));
    shapes.put("timestamp varlong of 10 bytes", withLength(concat(bytes(0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 0), field(utf8("k")), field(utf8("value")), varint(0))));
    shapes.put("timestamp varlong of 11 bytes", withLength(concat(bytes(0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 0), field(utf8("k")), field(utf8("value")), varint(0))));
    shapes.put("offset varint of 6 bytes", withLength(concat(bytes(0, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0), field(utf8("k")), field(utf8("value")), varint(0))));
    shapes.put("offset delta 5", record(0, 5, utf8("k"), utf8("value")));
    shapes.put("offset delta 1", record(0, 1, utf8("k"), utf8("value")));
    shapes.put("offset delta -1", record(0, -1, utf8("k"), utf8("value")));
    for (Map.Entry<String, byte[]> shape : shapes.entrySet()) {
      byte[] body = compress(codec, concat(shape.getValue(), last));
      send("record: " + shape.getKey() + ", " + CODECS[codec], NONE, new Batch(now, codec, 2, body).build());
    }
    send("record: cut short, " + CODECS[codec], NONE,
        new Batch(now, codec, 2, compress(codec, Arrays.copyOf(concat(first, last), first.length + 5))).build());
    send("record: one byte after the last, " + CODECS[codec], NONE,
        new Batch(now, codec, 2, compress(codec, concat(first, last, bytes(0)))).build());
    send("record: nothing, " + CODECS[codec], NONE, new Batch(now, codec, 1, compress(codec, new byte[0])).build());
    byte[] large = new byte[200_000];
    byte[] noise = new byte[500];
    new Random(1).nextBytes(noise);
    for (int at = 0; at + noise.length < large.length; at += 20_000) System.arraycopy(noise, 0, large, at, noise.length);
    if (codec != 0) {
      send("record: 200 KB, " + CODECS[codec], NONE, new Batch(now, codec, 2,
          compress(codec, concat(record(0, 0, utf8("k"), Arrays.copyOf(large, 120_000)), record(0, 1, Arrays.copyOfRange(large, 110_000, 200_000), null)))).build());
    }
    ByteArrayOutputStream many = new ByteArrayOutputStream();
    for (int i = 0; i < 500; i++) many.writeBytes(record(i % 3, i, i % 5 == 0 ? null : utf8("key" + i), utf8("v".repeat(i % 40))));
    send("record: 500, " + CODECS[codec], NONE, new Batch(now, codec, 500, compress(codec, many.toByteArray())).build());

    byte[] keyed = concat(record(0, 0, utf8("a"), null), record(0, 1, utf8(""), utf8("v")));
    send("key: all there, " + CODECS[codec], COMPACT, new Batch(now, codec, 2, compress(codec, keyed)).build());
    send("key: second and third missing, " + CODECS[codec], COMPACT, new Batch(now, codec, 3,
        compress(codec, concat(first, record(0, 1, null, utf8("v")), record(0, 2, null, null)))).build());
    send("key: missing and too new, " + CODECS[codec], COMPACT, new Batch(now, codec, 3,
        compress(codec, concat(first, record(0, 1, null, utf8("v")), record(1L << 40, 2, utf8("k"), null)))).build());
    send("key: missing and a wrong shape after it, " + CODECS[codec], COMPACT, new Batch(now, codec, 2,
        compress(codec, concat(record(0, 0, null, utf8("v")), shapes.get("one byte left over")))).build());
    send("key: missing and the offset wrong, " + CODECS[codec], COMPACT, new Batch(now, codec, 1,
        compress(codec, record(0, 4, null, utf8("v")))).build());
  }

  static void timestamps(int codec) throws Exception {
    String of = ", " + CODECS[codec];
    long now = System.currentTimeMillis(), day = 86_400_000L;
    Map<String, long[]> times = new LinkedHashMap<>();
    times.put("none", new long[] {-1, -1});
    times.put("none and now", new long[] {-1, now});
    times.put("0", new long[] {0, 0});
    times.put("-5", new long[] {-5, -5});
    times.put("59 minutes old", new long[] {now, now - 59 * 60_000});
    times.put("61 minutes old", new long[] {now, now - 61 * 60_000});
    times.put("50 seconds ahead", new long[] {now, now + 50_000});
    times.put("70 seconds ahead", new long[] {now, now + 70_000});
    times.put("59 minutes ahead", new long[] {now, now + 59 * 60_000});
    times.put("61 minutes ahead", new long[] {now, now + 61 * 60_000});
    times.put("old and ahead", new long[] {now - day, now, now + day});
    times.put("largest", new long[] {Long.MAX_VALUE, now});
    times.put("smallest", new long[] {Long.MIN_VALUE, now});
    times.put("delta wraps", new long[] {Long.MAX_VALUE - 3, Long.MIN_VALUE + 5});
    for (Map<String, String> configs : List.of(NONE, BOUNDED, APPEND_TIME)) {
      String where = configs == NONE ? "" : configs == BOUNDED ? " where bounded" : " under LogAppendTime";
      for (Map.Entry<String, long[]> entry : times.entrySet()) {
        long[] all = entry.getValue();
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        for (int i = 0; i < all.length; i++) body.writeBytes(record(all[i] - all[0], i, utf8("k"), utf8("v")));
        Batch batch = new Batch(all[0], codec, all.length, compress(codec, body.toByteArray()));
        batch.maxTimestamp = Arrays.stream(all).max().getAsLong();
        send("time: " + entry.getKey() + where + of, configs, batch.build());
      }
      for (long max : new long[] {now, -1, now + day}) {
        String which = max == now ? "now" : max == -1 ? "none" : "a day ahead";
        send("time: marked LogAppendTime of " + which + where + of, configs, changed(plain(now, codec), batch -> {
          batch.attributes |= 8;
          batch.maxTimestamp = max;
        }));
      }
    }
    send("time: delete horizon under LogAppendTime" + of, APPEND_TIME, changed(plain(now, codec), batch -> batch.attributes |= 0x40));
    send("time: stray bits under LogAppendTime" + of, APPEND_TIME, changed(plain(now, codec), batch -> batch.attributes |= 0x5580));
  }

  static void sizes() throws Exception {
    long now = System.currentTimeMillis();
    byte[] body = record(0, 0, utf8("k"), new byte[1000 - HEADER - 10]);
    int spare = 1000 - HEADER - body.length;
    send("size: exactly the limit", SMALL, new Batch(now, 0, 1, record(0, 0, utf8("k"), new byte[1000 - HEADER - 10 + spare])).build());
    send("size: one over the limit", SMALL, new Batch(now, 0, 1, record(0, 0, utf8("k"), new byte[1001 - HEADER - 10 + spare])).build());
    send("size: over, and the crc wrong", SMALL, changed(new Batch(now, 0, 1, record(0, 0, utf8("k"), new byte[2000])), batch -> batch.badCrc = true));
    send("size: over, and the base offset wrong", SMALL, changed(new Batch(now, 0, 1, record(0, 0, utf8("k"), new byte[2000])), batch -> batch.baseOffset = 2));
    send("size: over, and the codec unknown", SMALL, changed(new Batch(now, 5, 1, record(0, 0, utf8("k"), new byte[2000])), batch -> { }));
    for (int codec = 1; codec < 5; codec++) {
      byte[] packed = compress(codec, record(0, 0, utf8("k"), new byte[5000]));
      send("size: inflates over the limit, " + CODECS[codec], SMALL, new Batch(now, codec, 1, packed).build());
      byte[] noise = new byte[1100];
      new Random(2).nextBytes(noise);
      send("size: over the limit, " + CODECS[codec], SMALL, new Batch(now, codec, 1, compress(codec, record(0, 0, null, noise))).build());
    }
    send("size: 64 MiB of zeros in zstd", NONE, new Batch(now, 4, 1, compress(4, record(0, 0, null, new byte[64 << 20]))).build());
  }

  /** Streams that don't inflate, or that only some readers would. */
  static void broken() throws Exception {
    long now = System.currentTimeMillis();
    byte[] data = concat(record(0, 0, utf8("k"), utf8("value value value value")), record(1, 1, utf8("l"), utf8("other other other")));
    for (int codec = 1; codec < 5; codec++) {
      byte[] whole = compress(codec, data);
      Map<String, byte[]> streams = new LinkedHashMap<>();
      streams.put("empty", new byte[0]);
      streams.put("one byte", Arrays.copyOf(whole, 1));
      streams.put("half", Arrays.copyOf(whole, whole.length / 2));
      streams.put("last byte missing", Arrays.copyOf(whole, whole.length - 1));
      streams.put("last four bytes missing", Arrays.copyOf(whole, whole.length - 4));
      streams.put("garbage", bytes(0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20));
      streams.put("not compressed", data);
      streams.put("a zero after it", concat(whole, new byte[1]));
      streams.put("four zeros after it", concat(whole, new byte[4]));
      streams.put("text after it", concat(whole, utf8("and so on and on and on")));
      byte[] turned = whole.clone();
      turned[whole.length / 2] ^= 0x55;
      streams.put("a byte changed", turned);
      streams.put("two streams", concat(compress(codec, Arrays.copyOf(data, 20)), compress(codec, Arrays.copyOfRange(data, 20, data.length))));
      for (Map.Entry<String, byte[]> stream : streams.entrySet()) {
        send("stream: " + stream.getKey() + ", " + CODECS[codec], NONE, new Batch(now, codec, 2, stream.getValue()).build());
      }
    }
    Map<String, byte[]> gzip = new LinkedHashMap<>();
    byte[] plain = compress(1, data);
    byte[] crc = plain.clone();
    crc[plain.length - 8] ^= 1;
    gzip.put("wrong crc", crc);
    byte[] size = plain.clone();
    size[plain.length - 1] ^= 1;
    gzip.put("wrong size", size);
    byte[] named = concat(Arrays.copyOf(plain, 10), utf8("name"), bytes(0), Arrays.copyOfRange(plain, 10, plain.length));
    named[3] = 8;
    gzip.put("with a name", named);
    byte[] method = plain.clone();
    method[2] = 7;
    gzip.put("method 7", method);
    for (Map.Entry<String, byte[]> stream : gzip.entrySet()) {
      send("stream: " + stream.getKey() + ", gzip", NONE, new Batch(now, 1, 2, stream.getValue()).build());
    }

    Map<String, byte[]> snappy = new LinkedHashMap<>();
    byte[] raw = org.xerial.snappy.Snappy.compress(data);
    byte[] magic = Arrays.copyOf(compress(2, data), 8);
    byte[] length = ByteBuffer.allocate(4).putInt(raw.length).array();
    snappy.put("one raw block", raw);
    snappy.put("version 0", concat(magic, bytes(0, 0, 0, 0, 0, 0, 0, 0), length, raw));
    snappy.put("version 2, compatible with 1", concat(magic, bytes(0, 0, 0, 2, 0, 0, 0, 1), length, raw));
    snappy.put("version 2, compatible with 2", concat(magic, bytes(0, 0, 0, 2, 0, 0, 0, 2), length, raw));
    byte[] head = concat(magic, bytes(0, 0, 0, 1, 0, 0, 0, 1));
    snappy.put("only a header", head);
    snappy.put("block length 0", concat(head, new byte[4]));
    snappy.put("block length -1", concat(head, bytes(0xff, 0xff, 0xff, 0xff), raw));
    snappy.put("block longer than the stream", concat(head, bytes(0, 0, 0x10, 0), raw));
    snappy.put("block that claims 1 GB", concat(head, bytes(0, 0, 0, 8), bytes(0x80, 0x80, 0x80, 0x80, 4, 0, 'a', 0)));
    snappy.put("an empty block first", concat(head, bytes(0, 0, 0, 1, 0), length, raw));
    snappy.put("three bytes after it", concat(head, length, raw, new byte[3]));
    byte[] wrongMagic = magic.clone();
    wrongMagic[7] = 1;
    snappy.put("magic with another last byte", concat(wrongMagic, bytes(0, 0, 0, 1, 0, 0, 0, 1), length, raw));
    for (Map.Entry<String, byte[]> stream : snappy.entrySet()) {
      send("stream: " + stream.getKey() + ", snappy", NONE, new Batch(now, 2, 2, stream.getValue()).build());
    }

    Map<String, byte[]> lz4 = new LinkedHashMap<>();
    var small = net.jpountz.lz4.LZ4FrameOutputStream.BLOCKSIZE.SIZE_64KB;
    var four = net.jpountz.lz4.LZ4FrameOutputStream.BLOCKSIZE.SIZE_4MB;
    var blockSum = net.jpountz.lz4.LZ4FrameOutputStream.FLG.Bits.BLOCK_CHECKSUM;
    var contentSum = net.jpountz.lz4.LZ4FrameOutputStream.FLG.Bits.CONTENT_CHECKSUM;
    byte[] frame = compress(3, data);
    lz4.put("4 MB blocks", lz4(data, four));
    lz4.put("block checksums", lz4(data, small, blockSum));
    byte[] badBlock = lz4(data, small, blockSum);
    badBlock[badBlock.length - 5] ^= 1;
    lz4.put("wrong block checksum", badBlock);
    lz4.put("content checksum", lz4(data, small, contentSum));
    byte[] badContent = lz4(data, small, contentSum);
    badContent[badContent.length - 1] ^= 1;
    lz4.put("wrong content checksum", badContent);
    lz4.put("content checksum missing", Arrays.copyOf(badContent, badContent.length - 4));
    lz4.put("end mark missing", Arrays.copyOf(frame, frame.length - 4));
    byte[] badHeader = frame.clone();
    badHeader[6] ^= 1;
    lz4.put("wrong header checksum", badHeader);
    lz4.put("linked blocks", descriptor(frame, 0x40, 0x40));
    lz4.put("version 2", descriptor(frame, 0xa0, 0x40));
    lz4.put("reserved flag", descriptor(frame, 0x62, 0x40));
    lz4.put("dictionary flag", descriptor(frame, 0x61, 0x40));
    lz4.put("block size 3", descriptor(frame, 0x60, 0x30));
    lz4.put("reserved bit of the block descriptor", descriptor(frame, 0x60, 0xc0));
    lz4.put("content size", concat(descriptor(concat(Arrays.copyOf(frame, 6), new byte[9]), 0x68, 0x40, 8), Arrays.copyOfRange(frame, 7, frame.length)));
    byte[] stored = concat(Arrays.copyOf(frame, 7), ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(data.length | 1 << 31).array(), data, new byte[4]);
    lz4.put("a stored block", stored);
    lz4.put("a block over its frame's size", concat(Arrays.copyOf(frame, 7), bytes(1, 0, 1, 0x80), new byte[16]));
    for (Map.Entry<String, byte[]> stream : lz4.entrySet()) {
      send("stream: " + stream.getKey() + ", lz4", NONE, new Batch(now, 3, 2, stream.getValue()).build());
    }

    Map<String, byte[]> zstd = new LinkedHashMap<>();
    zstd.put("one call, size known", com.github.luben.zstd.Zstd.compress(data, 1));
    ByteArrayOutputStream summed = new ByteArrayOutputStream();
    try (var stream = new com.github.luben.zstd.ZstdOutputStreamNoFinalizer(summed, 3)) {
      stream.setChecksum(true);
      stream.write(data);
    }
    byte[] badSum = summed.toByteArray();
    zstd.put("checksum", summed.toByteArray());
    badSum[badSum.length - 1] ^= 1;
    zstd.put("wrong checksum", badSum);
    zstd.put("a skippable frame first", concat(bytes(0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4), compress(4, data)));
    ByteArrayOutputStream wide = new ByteArrayOutputStream();
    try (var stream = new com.github.luben.zstd.ZstdOutputStreamNoFinalizer(wide, 22)) {
      stream.write(data);
    }
    zstd.put("level 22, a window of 128 MiB", wide.toByteArray());
    ByteArrayOutputStream wider = new ByteArrayOutputStream();
    try (var stream = new com.github.luben.zstd.ZstdOutputStreamNoFinalizer(wider, 1)) {
      stream.setLong(28);
      stream.write(data);
    }
    zstd.put("a window of 256 MiB", wider.toByteArray());
    for (Map.Entry<String, byte[]> stream : zstd.entrySet()) {
      send("stream: " + stream.getKey() + ", zstd", NONE, new Batch(now, 4, 2, stream.getValue()).build());
    }
  }

  static byte[] descriptor(byte[] frame, int flags, int block) {
    return descriptor(frame, flags, block, 0);
  }

  static byte[] descriptor(byte[] frame, int flags, int block, int more) {
    byte[] to = frame.clone();
    to[4] = (byte) flags;
    to[5] = (byte) block;
    int hash = net.jpountz.xxhash.XXHashFactory.fastestInstance().hash32().hash(to, 4, 2 + more, 0);
    to[6 + more] = (byte) (hash >> 8);
    return to;
  }

  /** compression.type other than what was sent. */
  static void rewrites() throws Exception {
    long now = System.currentTimeMillis();
    String[] types = {"uncompressed", "gzip", "snappy", "lz4", "zstd", "producer"};
    for (int codec = 0; codec < 5; codec++) {
      for (String type : types) {
        String of = ", " + CODECS[codec] + " to " + type;
        Map<String, String> configs = with("compression.type", type);
        send("rewrite: plain" + of, configs, plain(now, codec).build());
        if (type.equals("producer") || type.equals("snappy") || type.equals("lz4")) continue;
        byte[] odd = concat(record(0, 4, utf8("k"), utf8("a")), record(9, 4, utf8("l"), utf8("b")));
        send("rewrite: offset deltas wrong" + of, configs, new Batch(now, codec, 2, compress(codec, odd)).build());
        send("rewrite: attributes set" + of, configs,
            new Batch(now, codec, 1, compress(codec, withLength(fields(0x33, 0, 0, utf8("k"), utf8("v"))))).build());
        send("rewrite: first timestamp not the base" + of, configs,
            new Batch(now, codec, 2, compress(codec, concat(record(-50, 0, null, null), record(3, 1, utf8("k"), null)))).build());
        send("rewrite: timestamp -5" + of, configs, new Batch(-5, codec, 1, compress(codec, record(0, 0, utf8("k"), null))).build());
        send("rewrite: timestamp -1" + of, configs, new Batch(-1, codec, 1, compress(codec, record(0, 0, utf8("k"), null))).build());
        send("rewrite: marked LogAppendTime" + of, configs, changed(plain(now, codec), batch -> {
          batch.attributes |= 8;
          batch.maxTimestamp = now - 1000;
        }));
        send("rewrite: delete horizon and stray bits" + of, configs, changed(plain(now, codec), batch -> batch.attributes |= 0x55c0));
        send("rewrite: producer with epoch -1" + of, configs, changed(plain(now, codec), batch -> batch.producer(77 + System.nanoTime() % 100000, -1, 0)));
        send("rewrite: producer -5" + of, configs, changed(plain(now, codec), batch -> batch.producer(-5, 0, -1)));
        send("rewrite: producer" + of, configs, changed(plain(now, codec), batch -> batch.producer(System.nanoTime(), 3, 0)));
        send("rewrite: one byte left over in a record" + of, configs,
            new Batch(now, codec, 1, compress(codec, withLength(concat(fields(0, 0, 0, null, null), bytes(0))))).build());
        send("rewrite: record length wrong" + of, configs,
            new Batch(now, codec, 1, compress(codec, concat(varint(60), fields(0, 0, 0, null, null)))).build());
        send("rewrite: count too low" + of, configs, changed(plain(now, codec), batch -> {
          batch.count = 2;
          batch.lastOffsetDelta = 1;
        }));
        send("rewrite: too new" + of, configs,
            new Batch(now + 86_400_000L, codec, 1, compress(codec, record(0, 0, utf8("k"), null))).build());
        send("rewrite: key missing" + of, with("compression.type", type, "cleanup.policy", "compact"), plain(now, codec).build());
        send("rewrite: LogAppendTime" + of, with("compression.type", type, "message.timestamp.type", "LogAppendTime"), plain(now, codec).build());
        byte[] noise = new byte[900];
        new Random(3).nextBytes(noise);
        byte[] zeros = record(0, 0, null, concat(noise, new byte[300]));
        Map<String, String> small = with("compression.type", type, "max.message.bytes", "1100");
        send("rewrite: around the limit" + of, small, new Batch(now, codec, 1, compress(codec, zeros)).build());
      }
    }
  }

  /** One producer after another: each line of a sequence is answered in the light of those before it. */
  static void sequences() throws Exception {
    long now = System.currentTimeMillis();
    long id = 1_000_000;
    int last = Integer.MAX_VALUE;
    // Steps are {epoch, first sequence, records}.
    int[][][] all = {
      {{0, 0, 1}, {0, 1, 2}, {0, 3, 1}},
      {{0, 0, 2}, {0, 0, 2}, {0, 2, 1}, {0, 0, 2}, {0, 2, 1}},
      {{0, 0, 1}, {0, 1, 1}, {0, 2, 1}, {0, 3, 1}, {0, 4, 1}, {0, 5, 1}, {0, 1, 1}, {0, 0, 1}, {0, 5, 1}},
      {{0, 0, 3}, {0, 0, 2}, {0, 1, 2}, {0, 2, 1}, {0, 3, 1}},
      {{0, 0, 1}, {0, 2, 1}, {0, 1, 1}},
      {{0, 7, 1}, {0, 8, 1}, {0, 0, 1}},
      {{2, 0, 1}, {1, 1, 1}, {1, 0, 1}, {2, 1, 1}},
      {{0, 0, 1}, {1, 1, 1}, {1, 0, 1}, {1, 1, 1}, {0, 1, 1}},
      {{0, 0, 1}, {1, 0, 1}, {0, 0, 1}, {1, 0, 1}},
      {{0, last - 1, 2}, {0, 0, 1}, {0, 1, 1}, {0, last - 1, 2}},
      {{0, last - 1, 4}, {0, 2, 1}, {0, last - 1, 4}, {0, 3, 1}},
      {{0, last, 1}, {0, last, 1}, {0, 0, 1}, {0, 0, 1}},
      {{5, 3, 1}, {6, 4, 1}, {6, 0, 1}, {7, 0, 2}, {7, 2, 1}},
      {{-1, 0, 1}, {-1, 5, 1}, {0, 0, 1}, {0, 1, 1}, {-1, 2, 1}},
      {{32767, 0, 1}, {32767, 1, 1}, {32766, 2, 1}},
    };
    int number = 0;
    for (int[][] steps : all) {
      // Each has a topic of its own, so that offsets begin at 0.
      String topic = create(PREFIX + "sequence-" + number + "-" + Long.toString(System.nanoTime(), 36), NONE);
      int step = 0;
      for (int[] it : steps) {
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        for (int i = 0; i < it[2]; i++) body.writeBytes(record(i, i, utf8("k"), utf8("v" + i)));
        Batch batch = new Batch(now + step, step % 5, it[2], compress(step % 5, body.toByteArray())).producer(id + number, it[0], it[1]);
        batch.maxTimestamp = now + step + it[2] - 1;
        long at = System.currentTimeMillis();
        Answer answer = produce(topic, 8, batch.build());
        lines.add("  {\"sequence\": " + number + ", \"name\": \"epoch " + it[0] + ", sequence " + it[1] + ", " + it[2] + " records\", \"now\": " + at
            + ", \"error\": " + answer.error + ", \"base\": " + answer.base + ", \"appendTime\": " + answer.appendTime
            + ",\n   \"batch\": " + base64(batch.build()) + "}");
        System.out.println(number + " " + Arrays.toString(it) + " -> " + answer.error + " at " + answer.base);
        step++;
      }
      number++;
    }
  }
}
