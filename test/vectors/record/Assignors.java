// Writes down what Apache Kafka's server-side assignors make of groups made up from a seed: each group lives through
// some joins, leaves, changed subscriptions and grown topics, and keeps what the uniform assignor last gave it. Needs
// the jars of the broker on the class path and nothing else:
//
//   java -cp 'KAFKA/libs/*' test/vectors/record/Assignors.java > test/vectors/assignors/kafka.json

import java.util.*;
import java.util.stream.Collectors;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.coordinator.group.api.assignor.*;
import org.apache.kafka.coordinator.group.assignor.RangeAssignor;
import org.apache.kafka.coordinator.group.assignor.UniformAssignor;

public class Assignors {
  record Member(Set<Uuid> topics, Optional<String> instance, Map<Uuid, Set<Integer>> assigned) {}

  record Subscription(Optional<String> rackId, Optional<String> instanceId, Set<Uuid> subscribedTopicIds)
      implements MemberSubscription {}

  record Group(SortedMap<String, Member> members, boolean homogeneous) implements GroupSpec {
    public Collection<String> memberIds() {
      return members.keySet();
    }

    public SubscriptionType subscriptionType() {
      return homogeneous ? SubscriptionType.HOMOGENEOUS : SubscriptionType.HETEROGENEOUS;
    }

    public boolean isPartitionAssigned(Uuid topic, int partition) {
      return members.values().stream().anyMatch(member -> member.assigned.getOrDefault(topic, Set.of()).contains(partition));
    }

    public boolean isPartitionAssignable(Uuid topic, int partition) {
      return true;
    }

    public MemberSubscription memberSubscription(String id) {
      return new Subscription(Optional.empty(), members.get(id).instance, members.get(id).topics);
    }

    public MemberAssignment memberAssignment(String id) {
      Map<Uuid, Set<Integer>> assigned = Collections.unmodifiableMap(members.get(id).assigned);
      return () -> assigned;
    }
  }

  static String json(Map<Uuid, Set<Integer>> assigned) {
    return new TreeMap<>(assigned).entrySet().stream().filter(entry -> !entry.getValue().isEmpty())
        .map(entry -> "\"" + entry.getKey() + "\":" + new TreeSet<>(entry.getValue()).toString().replace(" ", ""))
        .collect(Collectors.joining(",", "{", "}"));
  }

  static Map<String, Map<Uuid, Set<Integer>>> assignments(Group group, ConsumerGroupPartitionAssignor assignor, Map<Uuid, Integer> counts) {
    GroupAssignment all = assignor.assign(group, new SubscribedTopicDescriber() {
      public int numPartitions(Uuid topic) {
        return counts.getOrDefault(topic, -1);
      }

      public Set<String> racksForPartition(Uuid topic, int partition) {
        return Set.of();
      }
    });
    Map<String, Map<Uuid, Set<Integer>>> assignments = new TreeMap<>();
    for (String id : group.members.keySet()) {
      MemberAssignment assigned = all.members().get(id);
      assignments.put(id, assigned == null ? Map.of() : assigned.partitions());
    }
    return assignments;
  }

  static String json(Map<String, Map<Uuid, Set<Integer>>> assignments, String name) {
    return "\"" + name + "\":" + assignments.entrySet().stream()
        .map(entry -> "\"" + entry.getKey() + "\":" + json(entry.getValue())).collect(Collectors.joining(",", "{", "}"));
  }

  static final Random random = new Random(848);

  static Set<Uuid> someOf(Collection<Uuid> topics) {
    Set<Uuid> some = topics.stream().filter(topic -> random.nextInt(3) > 0).collect(Collectors.toCollection(TreeSet::new));
    return some.isEmpty() ? new TreeSet<>(topics) : some;
  }

  public static void main(String[] args) {
    List<String> lines = new ArrayList<>();
    for (int history = 0; history < 60; history++) {
      boolean homogeneous = history % 2 == 0;
      SortedMap<Uuid, Integer> counts = new TreeMap<>();
      for (int i = 1 + random.nextInt(5); i > 0; i--) counts.put(new Uuid(random.nextLong(), random.nextLong()), random.nextInt(13));
      SortedMap<String, Member> members = new TreeMap<>();
      int steps = 1 + random.nextInt(8);
      for (int step = 0; step < steps; step++) {
        int event = members.isEmpty() ? 0 : random.nextInt(5);
        List<String> ids = new ArrayList<>(members.keySet());
        if (event <= 1) {
          for (int joining = 1 + random.nextInt(3); joining > 0; joining--) {
            Set<Uuid> topics = homogeneous ? new TreeSet<>(counts.keySet()) : someOf(counts.keySet());
            Optional<String> instance = random.nextInt(3) == 0 ? Optional.of("i" + random.nextInt(1000)) : Optional.empty();
            members.put("m" + random.nextInt(10000), new Member(topics, instance, Map.of()));
          }
        } else if (event == 2 && members.size() > 1) {
          members.remove(ids.get(random.nextInt(ids.size())));
        } else if (event == 3) {
          counts.replaceAll((topic, count) -> count + random.nextInt(4));
        } else if (!homogeneous) {
          members.computeIfPresent(ids.get(random.nextInt(ids.size())),
              (id, member) -> new Member(someOf(counts.keySet()), member.instance, member.assigned));
        }
        // Without a common topic set the group counts as heterogeneous only if its subscriptions differ.
        boolean same = members.values().stream().map(Member::topics).distinct().count() == 1;
        Group group = new Group(members, same);
        String text = members.entrySet().stream().map(entry -> "\"" + entry.getKey() + "\":{\"topics\":"
            + entry.getValue().topics.stream().map(topic -> "\"" + topic + "\"").collect(Collectors.joining(",", "[", "]"))
            + ",\"instance\":" + entry.getValue().instance.map(instance -> "\"" + instance + "\"").orElse("null")
            + ",\"assigned\":" + json(entry.getValue().assigned) + "}").collect(Collectors.joining(",", "{", "}"));
        String sizes = counts.entrySet().stream().map(entry -> "\"" + entry.getKey() + "\":" + entry.getValue())
            .collect(Collectors.joining(",", "{", "}"));
        var uniform = assignments(group, new UniformAssignor(), counts);
        lines.add("{\"homogeneous\":" + same + ",\"counts\":" + sizes + ",\"members\":" + text + ","
            + json(assignments(group, new RangeAssignor(), counts), "range") + "," + json(uniform, "uniform") + "}");
        SortedMap<String, Member> next = new TreeMap<>();
        members.forEach((id, member) -> next.put(id, new Member(member.topics, member.instance, uniform.get(id))));
        members = next;
      }
    }
    System.out.println("[\n" + String.join(",\n", lines) + "\n]");
  }
}
