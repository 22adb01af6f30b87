// Writes down the hashes that Apache Kafka's group coordinator makes of topics, one line per set of topics: their names
// and the number that the record of a group with these topics holds. Needs the jars of the broker on the class path:
//
//   java -cp 'KAFKA/libs/*' test/vectors/record/MetadataHashes.java > test/vectors/groups/metadata-hashes.txt

import java.lang.reflect.Method;
import java.util.*;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.metadata.*;
import org.apache.kafka.coordinator.common.runtime.*;
import org.apache.kafka.coordinator.group.Utils;
import org.apache.kafka.image.*;

public class MetadataHashes {
  static final String[] RACKS = {null, "rack-a", "rack-b", "räck"};

  record Topic(String name, String id, int partitions, int replicas) {}

  static final List<Topic> TOPICS = List.of(
    new Topic("foo", "fooAAAAAAAAAAAAAAAAAAA", 6, 1),
    new Topic("bar", "barAAAAAAAAAAAAAAAAAAA", 3, 3),
    new Topic("a.much-longer_topic.name.that.says.what.it.is.for", "w6HIZBvKS9m2PqlLqwGdgA", 100, 4),
    new Topic("one", "AQIDBAUGBwgJCgsMDQ4PEA", 1, 1));

  public static void main(String[] args) throws Exception {
    MetadataDelta delta = new MetadataDelta.Builder().setImage(MetadataImage.EMPTY).build();
    for (int broker = 0; broker < RACKS.length; broker++) {
      delta.replay(new RegisterBrokerRecord().setBrokerId(broker).setBrokerEpoch(1).setRack(RACKS[broker])
        .setIncarnationId(new Uuid(1, broker)).setFenced(false).setLogDirs(List.of(new Uuid(2, broker))));
    }
    for (Topic topic : TOPICS) {
      delta.replay(new TopicRecord().setName(topic.name).setTopicId(Uuid.fromString(topic.id)));
      for (int partition = 0; partition < topic.partitions; partition++) {
        List<Integer> replicas = new ArrayList<>();
        for (int replica = 0; replica < topic.replicas; replica++) replicas.add((partition + replica) % RACKS.length);
        delta.replay(new PartitionRecord().setTopicId(Uuid.fromString(topic.id)).setPartitionId(partition)
          .setReplicas(replicas).setIsr(replicas).setLeader(replicas.get(0)));
      }
    }
    CoordinatorMetadataImage image =
      new KRaftCoordinatorMetadataImage(delta.apply(new MetadataProvenance(1, 1, 1, true)));
    Method ofTopic = Utils.class.getDeclaredMethod("computeTopicHash", String.class, CoordinatorMetadataImage.class);
    Method ofGroup = Utils.class.getDeclaredMethod("computeGroupHash", Map.class);
    ofTopic.setAccessible(true);
    ofGroup.setAccessible(true);
    Map<String, Long> hashes = new TreeMap<>();
    for (Topic topic : TOPICS) hashes.put(topic.name, (Long) ofTopic.invoke(null, topic.name, image));
    for (Topic topic : TOPICS) {
      System.out.println(topic.name + " " + ofGroup.invoke(null, Map.of(topic.name, hashes.get(topic.name))));
    }
    System.out.println(String.join(",", hashes.keySet()) + " " + ofGroup.invoke(null, hashes));
  }
}
